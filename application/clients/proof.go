package clients

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"cms.gov/ab2d/domain"
)

// ParseNetworks reads addresses and CIDR blocks, divided by commas, spaces or
// lines. It returns an invalid error that names what it cannot read.
func ParseNetworks(s string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, one := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' || r <= ' ' }) {
		if addr, err := netip.ParseAddr(one); err == nil && addr.Zone() == "" {
			networks = append(networks, netip.PrefixFrom(addr, addr.BitLen()))
		} else if block, err := netip.ParsePrefix(one); err == nil {
			networks = append(networks, block)
		} else {
			return nil, domain.Errorf(domain.Invalid, "%q is neither an address nor a CIDR block.", one).WithNext("Write it as 192.0.2.17 or 192.0.2.0/24.")
		}
	}
	return networks, nil
}

// checkNetworks takes each block as the network that it lies in, and v4 within
// v6 as v4.
func (u *UseCase) checkNetworks(c *domain.Client, invalid refusal) error {
	networks := make([]netip.Prefix, 0, len(c.Networks))
	for _, n := range c.Networks {
		if n.IsValid() && n.Addr().Is4In6() {
			n = netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-96)
		}
		if !n.IsValid() || n.Bits() == 0 {
			return invalid("Give none at all to let it call from anywhere.", "%s is no block of addresses that a client can be limited to.", n)
		}
		networks = append(networks, n.Masked())
	}
	slices.SortFunc(networks, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	networks = slices.Compact(networks)
	if most := cmp.Or(u.Settings.Networks, defaultNetworks); len(networks) > most {
		return invalid("Join neighbouring addresses to blocks, or remove some.", "The client has %d blocks of addresses; it may have %d.", len(networks), most)
	}
	if c.Networks = networks; len(networks) == 0 {
		c.Networks = nil
	}
	return nil
}

func blocks(all []netip.Prefix) string {
	if len(all) == 0 {
		return "any"
	}
	var texts []string
	for _, n := range all {
		texts = append(texts, n.String())
	}
	return strings.Join(texts, " ")
}

func (u *UseCase) checkKeys(c *domain.Client, invalid refusal) error {
	switch {
	case c.Keys.URL != "" && c.Keys.Set != "":
		return invalid("Give the address of the keys, or the keys.", "The client's keys are given by address and by value.")
	case c.Keys.Set != "":
		return u.KeySets.CheckKeys(c.Keys.Set)
	case c.Keys.URL == "":
		return nil
	}
	at, err := url.Parse(c.Keys.URL)
	const next = "Give an address as https://sponsor.example.com/jwks.json."
	switch {
	case err != nil || at.Host == "" || at.User != nil || at.Fragment != "" || len(c.Keys.URL) > 500:
		return invalid(next, "This is no address of keys.")
	case at.Scheme == "https":
	case at.Scheme == "http" && u.Settings.PlainKeys && loopback(at.Hostname()):
	default:
		return invalid(next, "The address of the keys is not https.")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func keys(k domain.ClientKeys) string {
	switch {
	case k.URL != "":
		return k.URL
	case k.Set != "":
		return "by value"
	}
	return "none"
}
