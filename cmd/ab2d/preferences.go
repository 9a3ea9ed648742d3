package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	ab2d "cms.gov/ab2d"
	"cms.gov/ab2d/adapters/config"
	"cms.gov/ab2d/adapters/preferencefile"
	"cms.gov/ab2d/domain"
)

// importPreferences records a preference file and writes the confirmation that
// goes back. Of a file that is not whole nothing is recorded.
func importPreferences(ctx context.Context, c *config.Config, args []string) (err error) {
	if len(args) != 2 {
		return errors.New("preferences needs the file to take in and the file to write the confirmation to")
	}
	content, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer content.Close()
	use, done, err := ab2d.InitializePreferences(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	file := preferencefile.New(content)
	n, err := use.Import(ctx, domain.System("preferences"), filepath.Base(args[0]), file.Preferences())
	if err != nil {
		return err
	}
	confirmation, err := os.OpenFile(args[1], os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("%d preferences are recorded, but the confirmation cannot be written: %w", n, err)
	}
	defer func() { err = errors.Join(err, confirmation.Close()) }()
	if err := file.Confirm(confirmation, domain.Today(time.Now())); err != nil {
		return err
	}
	fmt.Printf("%d preferences recorded; the confirmation is in %s\n", n, args[1])
	return nil
}
