// Package access tells who is calling the FHIR API.
package access

import (
	"context"
	"net/netip"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// UseCase authenticates callers.
type UseCase struct {
	Tokens ports.Tokens
	Store  ports.UnitOfWork
}

// Authenticate returns the enabled client that a bearer token was issued to,
// calling from an address it may call from, and what the token is for. It fails with unauthenticated for
// a token that does not verify, and with forbidden for a client that is not
// registered, disabled, or calls from elsewhere; then the client has its id alone.
func (u *UseCase) Authenticate(ctx context.Context, token string, from netip.Addr) (domain.Client, domain.Scopes, error) {
	grant, err := u.Tokens.Verify(ctx, token)
	if err != nil {
		return domain.Client{}, nil, err
	}
	var client domain.Client
	err = u.Store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		client, err = tx.Clients.Get(ctx, grant.Client)
		return err
	})
	switch {
	case domain.CodeOf(err) == domain.NotFound || err == nil && !client.Enabled:
		return domain.Client{ID: grant.Client}, nil, domain.Errorf(domain.Forbidden, "This client is not enabled for the API.").
			WithNext("Check the client id. If it is right, ask the help desk to enable it.")
	case err != nil:
		return domain.Client{}, nil, err
	case !client.MayCallFrom(from):
		return domain.Client{ID: grant.Client}, nil, domain.Errorf(domain.Forbidden, "This client may not call from the address %s.", from).
			WithNext("Call from an address that is registered for the client, or ask the help desk to register this one.")
	}
	return client, grant.Scopes, nil
}
