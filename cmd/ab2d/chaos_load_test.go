package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// left is how many exports a sponsor leaves undeleted, so that the disk is not
// full of them.
const left = 3

// sponsor starts exports one after another until ctx is over. Some it follows
// to their end and fetches, some it cancels, and some it leaves alone.
func (s *storm) sponsor(ctx context.Context, contract string, paths []string, r *rand.Rand) {
	w := s.walker()
	var mine []string
	for ctx.Err() == nil {
		if w.token == "" && !s.signIn(ctx, w, contract) {
			continue
		}
		if len(mine) > left {
			s.compareOnTheWay(mine[0])
			s.delete(ctx, w, mine[0])
			mine = mine[1:]
		}
		status, ok := s.kickOff(ctx, w, paths[r.IntN(len(paths))])
		if !ok {
			pause(ctx, 200*time.Millisecond)
			continue
		}
		mine = append(mine, status)
		switch r.IntN(8) {
		case 0:
			pause(ctx, time.Duration(r.Int64N(int64(3*time.Second))))
			s.count("fault: an export is cancelled")
			s.delete(ctx, w, status)
		case 1, 2:
			pause(ctx, time.Second)
		default:
			if m, ok := s.follow(ctx, w, status); ok {
				s.fetch(ctx, w, m)
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// patient bounds one request of a sponsor, whose server may hang.
const patient = 3 * time.Second

func (s *storm) signIn(ctx context.Context, w *walker, contract string) bool {
	ctx, done := context.WithTimeout(ctx, patient)
	defer done()
	if err := w.signIn(ctx, sponsorOf(s.T, contract)); err != nil {
		s.count("saw: no token")
		pause(ctx, 100*time.Millisecond)
		return false
	}
	return true
}

// ask makes one request. It returns no answer when there was none, or none of
// any use: a server may say that it cannot answer now.
func (s *storm) ask(ctx context.Context, w *walker, method, address string) *http.Response {
	ctx, done := context.WithTimeout(ctx, patient)
	defer done()
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		s.Error(err)
		return nil
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	res, err := w.http.Do(req)
	if err != nil {
		s.count("saw: no answer")
		return nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.count("saw: half an answer")
		return nil
	}
	res.Body = io.NopCloser(strings.NewReader(string(body)))
	switch {
	case res.StatusCode >= 500 && res.StatusCode != http.StatusServiceUnavailable && !strings.Contains(string(body), `"OperationOutcome"`):
		s.Errorf("%s %s: %s without a reason: %.200s", method, address, res.Status, body)
	case res.StatusCode == http.StatusUnauthorized:
		w.token = ""
	}
	s.count(fmt.Sprintf("saw: %d", res.StatusCode))
	return res
}

func (s *storm) kickOff(ctx context.Context, w *walker, path string) (status string, ok bool) {
	s.count("kick-offs")
	res := s.ask(ctx, w, http.MethodGet, w.base+path)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case res == nil, res.StatusCode >= 500:
		s.unanswered++ // it may have happened all the same
		return "", false
	case res.StatusCode != http.StatusAccepted:
		return "", false
	}
	status = res.Header.Get("Content-Location")
	s.accepted[jobOf(status)] = path
	return status, true
}

// jobOf returns the job of a status address.
func jobOf(status string) string {
	parts := strings.Split(status, "/")
	return parts[len(parts)-2]
}

func (s *storm) delete(ctx context.Context, w *walker, status string) {
	s.ask(ctx, w, http.MethodDelete, status)
}

// follow asks how an export is until it has ended.
func (s *storm) follow(ctx context.Context, w *walker, status string) (m manifest, ok bool) {
	for ctx.Err() == nil {
		res := s.ask(ctx, w, http.MethodGet, status)
		wait := 200 * time.Millisecond
		switch {
		case res == nil:
		case res.StatusCode == http.StatusOK:
			return m, decode(res, &m) == nil
		case res.StatusCode == http.StatusAccepted, res.StatusCode == http.StatusTooManyRequests, res.StatusCode == http.StatusServiceUnavailable:
			seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
			if err != nil {
				s.Errorf("%s without a Retry-After", res.Status)
			}
			wait = time.Duration(seconds) * time.Second
		default:
			return m, false
		}
		pause(ctx, wait)
	}
	return m, false
}

// fetch downloads a file of the manifest. What arrives whole is right.
func (s *storm) fetch(ctx context.Context, w *walker, m manifest) {
	ctx, done := context.WithTimeout(ctx, 10*time.Second)
	defer done()
	for i := 0; i < len(m.Output) && i < 3; i++ {
		only := m
		only.Output = m.Output[i : i+1]
		sum, err := w.fetchAll(ctx, only)
		switch {
		case err == nil:
			s.count("saw: file whole")
		case sum.lines == 0 && strings.Contains(err.Error(), "the manifest says"):
			s.Errorf("a file arrived whole and wrong: %v", err)
		default:
			s.count("saw: file not whole")
		}
	}
}
