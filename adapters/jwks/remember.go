package jwks

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// remembered is how long a verified token is taken as verified: not for long, so
// that a key which is withdrawn soon counts no more.
const remembered = time.Minute

// Memory remembers which tokens were verified, by their hash, and passes all
// others on. It implements ports.Tokens.
type Memory struct {
	tokens ports.Tokens
	now    func() time.Time
	size   int
	salt   [16]byte // so that nobody can make tokens whose places collide

	mu   sync.RWMutex
	seen map[[sha256.Size]byte]verified
}

var _ ports.Tokens = (*Memory)(nil)

type verified struct {
	grant domain.Grant
	until time.Time
}

// Remember returns tokens with a memory of at most size of them.
func Remember(tokens ports.Tokens, now func() time.Time, size int) *Memory {
	m := &Memory{tokens: tokens, now: now, size: size, seen: map[[sha256.Size]byte]verified{}}
	_, _ = rand.Read(m.salt[:]) // never fails
	return m
}

// Verify implements ports.Tokens.
func (m *Memory) Verify(ctx context.Context, token string) (domain.Grant, error) {
	if len(token) > tokenLimit {
		return m.tokens.Verify(ctx, token)
	}
	var room [tokenLimit + 16]byte
	hash := sha256.Sum256(append(append(room[:0], m.salt[:]...), token...))
	now := m.now()
	m.mu.RLock()
	v, there := m.seen[hash]
	m.mu.RUnlock()
	if there && now.Before(v.until) {
		return v.grant, nil
	}
	grant, err := m.tokens.Verify(ctx, token)
	if err != nil {
		return grant, err
	}
	until := now.Add(remembered)
	if end := grant.Expires; end.Before(until) {
		until = end
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.seen) >= m.size {
		m.forget(now)
	}
	m.seen[hash] = verified{grant, until}
	return grant, nil
}

// forget makes room: what is over goes, and when that is not enough, all does.
func (m *Memory) forget(now time.Time) {
	for hash, v := range m.seen {
		if !now.Before(v.until) {
			delete(m.seen, hash)
		}
	}
	if len(m.seen) >= m.size {
		clear(m.seen)
	}
}
