package domain

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Role is what a person of CMS does with the console.
type Role string

// The roles. A person may have several; what they may do is the sum.
const (
	Viewer             Role = "viewer"              // sees everything but the audit log
	Operator           Role = "operator"            // runs jobs and API clients
	AttestationManager Role = "attestation_manager" // keeps sponsors, contracts and attestations
	Auditor            Role = "auditor"             // reads the audit log
	Admin              Role = "admin"               // may do everything
)

// Roles are all roles, the least first.
var Roles = []Role{Viewer, Operator, AttestationManager, Auditor, Admin}

// Title returns the role in words.
func (r Role) Title() string { return strings.ReplaceAll(string(r), "_", " ") }

// Permission is one thing that a person may be allowed to do in the console.
type Permission string

// The permissions. Every use case that staff reach asks for one of them.
const (
	MaySee             Permission = "console.see"
	MayRunJobs         Permission = "jobs.run"         // cancel, retry, start, extend and expire
	MayManageContracts Permission = "contracts.manage" // sponsors, contracts and attestations
	MayManageClients   Permission = "clients.manage"   // credentials and addresses
	MayReadAudit       Permission = "audit.read"
	MayManageSettings  Permission = "settings.manage" // settings, users, the queue's own pages
)

// grants is the one table of who may do what.
var grants = map[Permission][]Role{
	MaySee:             {Viewer, Operator, AttestationManager, Auditor, Admin},
	MayRunJobs:         {Operator, Admin},
	MayManageContracts: {AttestationManager, Admin},
	MayManageClients:   {Operator, Admin},
	MayReadAudit:       {Auditor, Admin},
	MayManageSettings:  {Admin},
}

// Permissions returns all permissions by name.
func Permissions() []Permission {
	return []Permission{MayReadAudit, MayManageClients, MaySee, MayManageContracts, MayRunJobs, MayManageSettings}
}

// Holders returns the roles that a permission comes with, the least first.
func (p Permission) Holders() []Role { return slices.Clone(grants[p]) }

// Staff is a person of CMS who is signed in, as one request of theirs has it.
type Staff struct {
	ID      string // what the identity provider calls the person, for ever
	Name    string // for people to read
	Roles   []Role
	From    string // the address the request came from
	Request string // the id of the request
}

// May reports whether any role of the person comes with the permission.
func (s Staff) May(p Permission) bool {
	return slices.ContainsFunc(s.Roles, func(r Role) bool { return slices.Contains(grants[p], r) })
}

// Actor returns the person as the audit trail has them.
func (s Staff) Actor() Actor { return Actor{Kind: "staff", ID: s.ID, From: s.From} }

// Told returns a record of something that the person did at a time, or tried
// to: with the name, the roles and the request that it came by, and details in
// pairs of a name and a value. Empty values are left out.
func (s Staff) Told(at time.Time, action, target, outcome string, details ...string) AuditRecord {
	return AuditRecord{At: at, Actor: s.Actor(), Action: action, Target: target, Outcome: outcome, Detail: s.Details(details...)}
}

// Details are what the audit trail tells of the person beside the id: the name,
// the roles and the request. Others are added in pairs of a name and a value.
// Empty values are left out.
func (s Staff) Details(more ...string) map[string]string {
	roles := make([]string, len(s.Roles))
	for i, r := range s.Roles {
		roles[i] = string(r)
	}
	d := map[string]string{}
	for i, pairs := 0, append([]string{"name", s.Name, "role", strings.Join(roles, ","), "request", s.Request}, more...); i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			d[pairs[i]] = pairs[i+1]
		}
	}
	return d
}

// Arrival is somebody who comes from an identity provider.
type Arrival struct {
	Who      Staff
	Session  string    // what the provider calls its own session; empty for none
	Token    string    // what tells the provider of whom a sign-out is; kept as long as the session
	ProvedAt time.Time // when they proved to it who they are, which may be long ago
}

// GroupRoles says which roles come with which groups of an identity provider.
type GroupRoles map[string][]Role

// ParseGroupRoles reads them from text as "AB2D Admins=admin, AB2D Operations=operator".
func ParseGroupRoles(text string) (GroupRoles, error) {
	all := GroupRoles{}
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		i := strings.LastIndex(pair, "=")
		if i < 0 {
			return nil, fmt.Errorf("%q names no role; write it as GROUP=ROLE", strings.TrimSpace(pair))
		}
		group, role := strings.TrimSpace(pair[:i]), Role(strings.TrimSpace(pair[i+1:]))
		if !slices.Contains(Roles, role) || group == "" {
			return nil, fmt.Errorf("%q is none of the roles %v", role, Roles)
		}
		all[group] = append(all[group], role)
	}
	return all, nil
}

// Of returns the roles that somebody in the groups has, the least first.
func (g GroupRoles) Of(groups []string) (roles []Role) {
	for _, r := range Roles {
		if slices.ContainsFunc(groups, func(name string) bool { return slices.Contains(g[name], r) }) {
			roles = append(roles, r)
		}
	}
	return roles
}

// Reason is why somebody did something that others will ask about.
type Reason struct {
	Text   string
	Ticket string // where it was asked for; may be empty
}

// The bounds of a reason, in characters.
const (
	reasonLeast = 10
	reasonMost  = 500
	ticketMost  = 60
)

// Check refuses a reason that tells nothing, or too much to be read.
func (r Reason) Check() error {
	switch n := len([]rune(strings.TrimSpace(r.Text))); {
	case n < reasonLeast:
		return Errorf(Invalid, "The reason is too short.").WithNext("Say in at least 10 characters why; it is kept in the audit log.")
	case n > reasonMost:
		return Errorf(Invalid, "The reason is %d characters long.", n).WithNext("Say it in at most 500 characters.")
	case len([]rune(r.Ticket)) > ticketMost:
		return Errorf(Invalid, "The ticket is too long.").WithNext("Give its number in at most 60 characters.")
	}
	return nil
}

// Session is one browser that a person is signed in with, or is about to be: a
// session without a person is on its way there.
type Session struct {
	ID        string // the digest of the key that the browser holds; see SessionID
	Staff     Staff  // From and Request are those of the sign-in
	FormToken string // what a form has to bring to be known as ours
	CreatedAt time.Time
	SeenAt    time.Time // the last time the person did something
	EndsAt    time.Time // the end whatever the person does
	AgreedAt  time.Time // when the notice was acknowledged
	Provider  string    // what the identity provider calls its own session; empty for none
	Notes     map[string]string
}

// provedNote is the note of when the person last proved who they are.
const provedNote = "proved at"

// Proved notes when the person proved to the identity provider who they are.
func (s *Session) Proved(at time.Time) {
	notes := maps.Clone(s.Notes)
	if notes == nil {
		notes = map[string]string{}
	}
	notes[provedNote] = at.UTC().Format(time.RFC3339)
	s.Notes = notes
}

// ProvedWithin reports whether the person proved who they are not longer ago than that.
func (s Session) ProvedWithin(d time.Duration, now time.Time) bool {
	at, err := time.Parse(time.RFC3339, s.Notes[provedNote])
	age := now.Sub(at)
	return err == nil && age <= d && age > -d // clocks differ a little, and not by more
}

// SessionLimits are how long sessions live.
type SessionLimits struct {
	Idle time.Duration // without the person doing anything
	Life time.Duration // at all
}

// SignedIn reports whether a person has signed in with the session.
func (s Session) SignedIn() bool { return s.Staff.ID != "" }

// Check refuses a session whose time is over, saying which.
func (s Session) Check(at time.Time, l SessionLimits) error {
	switch {
	case !at.Before(s.EndsAt):
		return Errorf(Unauthenticated, "You have been signed in for %s, the most a session may last.", words(l.Life)).WithNext("Sign in again.")
	case !at.Before(s.SeenAt.Add(l.Idle)):
		return Errorf(Unauthenticated, "You were signed out after %s without activity.", words(l.Idle)).WithNext("Sign in again.")
	}
	return nil
}

func words(d time.Duration) string {
	if d >= time.Hour && d%time.Hour == 0 {
		return plural(int(d/time.Hour), "hour")
	}
	return plural(int(d.Round(time.Minute)/time.Minute), "minute")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// NewKey returns a random key of 256 bits for a browser or a form to hold.
func NewKey() string {
	var b [32]byte
	rand.Read(b[:]) // never fails, see crypto/rand
	return hex.EncodeToString(b[:])
}

// SessionID returns the id of the session that a key opens. Only the digest of
// a key is kept, so that who reads the database cannot take over a session.
func SessionID(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}
