package access

import (
	"context"
	"net/netip"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// Pace bounds how often exports are asked for, refused ones included, by all
// processes together.
type Pace struct {
	Limits  ports.Limits
	Client  domain.Rate
	Address domain.Rate
}

// KickOff counts a kick-off. It fails with throttled when the client, or
// whoever calls from its address, asks too often.
func (p *Pace) KickOff(ctx context.Context, client domain.ClientID, from netip.Addr) error {
	for _, bound := range []struct {
		key, why string
		rate     domain.Rate
	}{
		{"export/client/" + string(client), "This client asks for exports too often.", p.Client},
		{"export/address/" + from.String(), "Exports are asked for too often from this address.", p.Address},
	} {
		wait, err := p.Limits.Take(ctx, bound.key, 1, bound.rate)
		if err != nil {
			return err
		}
		if wait > 0 {
			e := domain.Errorf(domain.Throttled, "%s", bound.why).
				WithNext("Wait as long as Retry-After says. One export at a time is enough: ask for its status instead of starting another.")
			e.RetryAfter = wait
			return e
		}
	}
	return nil
}
