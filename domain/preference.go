package domain

import (
	"cmp"
	"slices"
	"time"
)

// Preference is what a beneficiary said about sharing claims with the sponsor
// of a Part D plan, under one MBI. Preferences are only ever added.
type Preference struct {
	MBI       MBI
	Shares    bool
	Effective Date // from this day on
	Recorded  time.Time
	Source    string // the file it came in
}

// All returns the current and the historic MBIs.
func (ids Identifiers) All() []MBI {
	var all []MBI
	if ids.Current != "" {
		all = append(all, ids.Current)
	}
	return append(all, ids.Historic...)
}

// SharesOn reports whether a person's claims may be shared on a day, after the
// preferences stated under any of the person's MBIs: the one with the latest
// effective day up to then counts, of several of a day the one recorded last,
// and of two that cannot be told apart the refusal. Whoever said nothing shares.
func SharesOn(stated []Preference, on Date) bool {
	shares, found := true, Preference{}
	for _, p := range stated {
		if p.Effective > on {
			continue
		}
		switch newer := cmp.Or(cmp.Compare(p.Effective, found.Effective), p.Recorded.Compare(found.Recorded)); {
		case found.Effective.IsZero() || newer > 0:
			shares, found = p.Shares, p
		case newer == 0:
			shares = shares && p.Shares
		}
	}
	return shares
}

// MayHaveBeenWithheld reports whether an export that ended at since, or was
// still running for a while after it, may have left the person out: a refusal
// was in force then, or has been stated or has begun since. Such a person's
// claims were perhaps never delivered, so once shared again they come in full.
func MayHaveBeenWithheld(stated []Preference, since time.Time) bool {
	known := slices.DeleteFunc(slices.Clone(stated), func(p Preference) bool { return p.Recorded.After(since) })
	return !SharesOn(known, Today(since)) || slices.ContainsFunc(stated, func(p Preference) bool {
		return !p.Shares && (p.Recorded.After(since) || p.Effective > Today(since))
	})
}
