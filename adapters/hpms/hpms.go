// Package hpms is the client of CMS's Health Plan Management System, which says
// which organizations hold which Part D contracts and which of them are attested
// (its CDA interface: organizations, contract status, enrollments).
package hpms

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"cms.gov/ab2d/domain"
)

// Settings say where HPMS is and who we are to it.
type Settings struct {
	URL     string // its base, as https://hpms.cms.gov
	KeyID   string
	Secret  func() (string, error) // the secret of the key; asked for at each sign-in, so that it can change
	Timeout time.Duration          // of one request; 0 for a minute
	Batch   int                    // contracts asked about at once; 0 for 100
	Tries   int                    // of one request; 0 for 4
	Backoff time.Duration          // the first wait between them; it doubles, with jitter; 0 for half a second
}

// The paths of its interface.
const (
	tokenPath  = "/api/idm/OAuth/AMMtoken"
	orgsPath   = "/api/cda_v2/v2/orgs/info"
	statusPath = "/api/cda_v2/v2/contracts/status"
	countsPath = "/api/cda_v2/v2/enrollments"
)

// longest bounds an answer. All contracts of the nation are under a megabyte.
const longest = 32 << 20

// Client implements ports.Listing. It is safe for concurrent use.
type Client struct {
	settings Settings
	http     *http.Client
	session  session
}

// New returns a client.
func New(s Settings) *Client {
	s.Timeout, s.Batch = cmp.Or(s.Timeout, time.Minute), cmp.Or(s.Batch, 100)
	s.Tries, s.Backoff = cmp.Or(s.Tries, 4), cmp.Or(s.Backoff, 500*time.Millisecond)
	s.URL = strings.TrimRight(s.URL, "/")
	return &Client{settings: s, http: &http.Client{Timeout: s.Timeout}}
}

// Contracts implements ports.Listing: the organizations, and then how their
// contracts stand, some at a time. The counts of enrollment are only for people
// to look at, so an error with them is not one of the list.
func (c *Client) Contracts(ctx context.Context) ([]domain.ListedContract, error) {
	var orgs []organization
	if err := c.get(ctx, orgsPath, nil, &orgs); err != nil {
		return nil, fmt.Errorf("the organizations of HPMS: %w", err)
	}
	all, err := contractsOf(orgs)
	if err != nil {
		return nil, err
	}
	for some := range slices.Chunk(all, c.settings.Batch) {
		query := url.Values{}
		for _, l := range some {
			query.Add("contractId", string(l.Number))
		}
		var stands []standing
		if err := c.get(ctx, statusPath, query, &stands); err != nil {
			return nil, fmt.Errorf("the attestations of HPMS: %w", err)
		}
		for _, s := range stands {
			if err := s.apply(some); err != nil {
				return nil, err
			}
		}
		var counts []count
		if c.get(ctx, countsPath, query, &counts) == nil {
			for _, n := range counts {
				n.apply(some)
			}
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// get asks until there is an answer or no more use in asking.
func (c *Client) get(ctx context.Context, path string, query url.Values, into any) error {
	return c.try(ctx, func() error {
		ticket, err := c.session.ticket(ctx, c)
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.settings.URL+path+"?"+query.Encode(), nil)
		if err != nil {
			return err
		}
		ticket.sign(req, c.settings.KeyID)
		_, err = c.do(req, into)
		if refused(err, http.StatusUnauthorized, http.StatusForbidden) {
			c.session.drop(ticket) // it may have been ended before its time
		}
		return err
	})
}

// try repeats what may succeed. The last error is coded unavailable when asking
// later may help.
func (c *Client) try(ctx context.Context, once func() error) error {
	wait := c.settings.Backoff
	for n := 1; ; n++ {
		err := once()
		if err == nil || ctx.Err() != nil {
			return cmp.Or(err, ctx.Err())
		}
		var r *refusal
		if errors.As(err, &r) && r.final(n) {
			return err
		}
		if n >= c.settings.Tries {
			return domain.Errorf(domain.Unavailable, "HPMS does not answer as it should").Because(err)
		}
		pause := wait/2 + rand.N(wait)
		if r != nil {
			pause = max(pause, r.after)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		wait *= 2
	}
}

// refusal is an answer that is none.
type refusal struct {
	status int
	after  time.Duration // what Retry-After says, up to a minute
}

func (r *refusal) Error() string { return fmt.Sprintf("HPMS answers %d", r.status) }

func refused(err error, statuses ...int) bool {
	var r *refusal
	return errors.As(err, &r) && slices.Contains(statuses, r.status)
}

// final reports whether asking again is no use. Being refused entry is tried
// once more, with a new sign-in.
func (r *refusal) final(tries int) bool {
	switch r.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return tries > 1
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}
	return r.status < 500
}

func (c *Client) do(req *http.Request, into any) ([]*http.Cookie, error) {
	req.Header.Set("Accept", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After")) // a date is not waited for
		return nil, &refusal{res.StatusCode, min(time.Duration(max(seconds, 0))*time.Second, time.Minute)}
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, longest+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > longest:
		return nil, errors.New("HPMS's answer is too long to be one")
	case len(bytes.TrimSpace(body)) == 0:
		return nil, errors.New("HPMS's answer is empty")
	}
	if err := json.Unmarshal(body, into); err != nil {
		return nil, fmt.Errorf("HPMS's answer cannot be read: %w", err)
	}
	return res.Cookies(), nil
}
