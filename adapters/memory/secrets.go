package memory

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
)

// secrets implements ports.Secrets.
type secrets struct {
	mu   sync.Mutex
	kept map[string][]byte
}

func (s *secrets) look(name string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, there := s.kept[name]
	return bytes.Clone(value), there
}

// Ensure implements ports.Secrets.
func (s *secrets) Ensure(ctx context.Context, name string, mint func() ([]byte, error)) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if value, there := s.look(name); there {
		return value, nil
	}
	minted, err := mint()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	if _, there := s.kept[name]; !there {
		if s.kept == nil {
			s.kept = map[string][]byte{}
		}
		s.kept[name] = bytes.Clone(minted)
	}
	s.mu.Unlock()
	value, _ := s.look(name)
	return value, nil
}

// Forget implements ports.Secrets.
func (s *secrets) Forget(ctx context.Context, prefix string, except ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.kept {
		if strings.HasPrefix(name, prefix) && !slices.Contains(except, name) {
			delete(s.kept, name)
		}
	}
	return nil
}
