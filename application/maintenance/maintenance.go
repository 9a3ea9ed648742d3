// Package maintenance keeps exports from starting while something is being done
// to the installation, and says why. Status, downloads and running exports go on.
package maintenance

import (
	"cmp"
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"cms.gov/ab2d/application/staff"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Set is the action in the audit trail.
const Set = "maintenance.set"

// longest is how long a message may be, in characters: sponsors read it in an answer.
const longest = 300

// UseCase turns maintenance on and off.
type UseCase struct {
	Store ports.UnitOfWork
	Clock ports.Clock
	Fixed string // why, as the process was started with; nobody changes it while it runs
}

// Mode is whether there is maintenance.
type Mode struct {
	domain.Switch        // as staff set it
	Fixed         string // as the process was started with
}

// Why tells why no export starts; it is empty while they do.
func (m Mode) Why() string { return cmp.Or(m.Fixed, m.Value) }

// Now returns the mode.
func (u *UseCase) Now(ctx context.Context) (m Mode, err error) {
	m.Fixed = u.Fixed
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		m.Switch, err = tx.Switches.Get(ctx, domain.MaintenanceSwitch)
		return err
	})
	return m, err
}

// Set turns maintenance on with a message for sponsors, or off with an empty one.
// It fails with forbidden, with invalid for a message or a reason that cannot be,
// and with a business_rule where the process was started with maintenance.
func (u *UseCase) Set(ctx context.Context, who domain.Staff, message string, why domain.Reason) error {
	now := u.Clock.Now()
	if err := staff.Permit(ctx, u.Store, now, who, domain.MayManageSettings, Set, ""); err != nil {
		return err
	}
	message = strings.TrimSpace(message)
	switch err := why.Check(); {
	case err != nil:
		return err
	case u.Fixed != "":
		return domain.Errorf(domain.BusinessRule, "This process was started with maintenance on, which nobody can end while it runs.").WithNext("Take the setting maintenance away (AB2D_MAINTENANCE or --maintenance) and start it again.")
	case utf8.RuneCountInString(message) > longest || strings.ContainsFunc(message, unicode.IsControl):
		return domain.Errorf(domain.Invalid, "The message is longer than %d characters, or not one line.", longest).WithNext("Say in a sentence what is being done and until when.")
	}
	return u.Store.Do(ctx, func(ctx context.Context, tx ports.Tx) error {
		before, err := tx.Switches.Get(ctx, domain.MaintenanceSwitch)
		if err != nil {
			return err
		}
		if err := tx.Switches.Put(ctx, domain.Switch{Name: domain.MaintenanceSwitch, Value: message, ChangedAt: now, ChangedBy: who.Name}); err != nil {
			return err
		}
		return tx.Audit.Record(ctx, who.Told(now, Set, domain.MaintenanceSwitch, "done", "reason", why.Text, "ticket", why.Ticket, "before", cmp.Or(before.Value, "off"), "after", cmp.Or(message, "off")))
	})
}
