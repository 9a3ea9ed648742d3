package hpms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// userName and scope are those of AB2D's registration with HPMS.
const (
	userName = "CDA-AB2D-API"
	scope    = "cda_org_att"
)

// ticket is what a sign-in gives: a token, and the cookies that came with it,
// which HPMS wants back.
type ticket struct {
	token   string
	cookies []*http.Cookie
	renew   time.Time
}

func (t *ticket) sign(req *http.Request, keyID string) {
	req.Header.Set("X-API-CONSUMER-ID", keyID)
	req.Header.Set("Authorization", t.token)
	for _, c := range t.cookies {
		req.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
}

// session keeps the ticket in use.
type session struct {
	mu      sync.Mutex
	current *ticket
}

// drop has the next request sign in again, unless somebody has already.
func (s *session) drop(old *ticket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == old {
		s.current = nil
	}
}

// ticket returns one that is good for a while yet: it is renewed after 80% of
// its life, so that it does not end in the middle of something.
func (s *session) ticket(ctx context.Context, c *Client) (*ticket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && time.Now().Before(s.current.renew) {
		return s.current, nil
	}
	secret, err := c.settings.Secret()
	if err != nil {
		return nil, fmt.Errorf("the secret for HPMS: %w", err)
	}
	body, err := json.Marshal(map[string]string{"userName": userName, "keyId": c.settings.KeyID,
		"keySecret": strings.TrimSpace(secret), "scopes": scope})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.settings.URL+tokenPath, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	var answer struct {
		AccessToken string `json:"accessToken"`
		Expires     int    `json:"expires"` // seconds
	}
	begun := time.Now()
	cookies, err := c.do(req, &answer)
	if err != nil {
		return nil, fmt.Errorf("sign in to HPMS: %w", err)
	}
	if answer.AccessToken == "" {
		return nil, errors.New("sign in to HPMS: it gives no token")
	}
	s.current = &ticket{answer.AccessToken, cookies, begun.Add(time.Duration(answer.Expires) * time.Second * 4 / 5)}
	return s.current, nil
}
