package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"cms.gov/ab2d/adapters/sandboxauth"
)

// walker goes through an export as a sponsor's engineer would who follows the
// developer guide, and believes nothing it has not checked.
type walker struct {
	base     string
	tokenURL string
	http     http.Client
	token    string
	say      func(format string, args ...any)
}

// manifest is what the walk needs of the answer to a completed status request.
type manifest struct {
	TransactionTime     time.Time `json:"transactionTime"`
	RequiresAccessToken bool      `json:"requiresAccessToken"`
	Output              []struct {
		Type      string `json:"type"`
		URL       string `json:"url"`
		Count     int    `json:"count"`
		Extension []struct {
			URL          string  `json:"url"`
			ValueString  string  `json:"valueString"`
			ValueDecimal float64 `json:"valueDecimal"`
		} `json:"extension"`
	} `json:"output"`
	Error []json.RawMessage `json:"error"`
}

// signIn gets a token with the credential of a sponsor of the guide.
func (w *walker) signIn(ctx context.Context, row sandboxauth.GuideSponsor) error {
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"clientCreds"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.tokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(string(row.Client), row.Secret)
	var answer struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := w.json(req, http.StatusOK, &answer); err != nil {
		return err
	}
	w.token = answer.AccessToken
	w.say("token      for %s, valid %d s", row.Client, answer.ExpiresIn)
	return nil
}

// export starts an export and waits as it is asked to until it is complete.
func (w *walker) export(ctx context.Context, kickOff string) (m manifest, err error) {
	job, err := w.start(ctx, kickOff)
	if err != nil {
		return m, err
	}
	return w.follow(ctx, job)
}

// start starts an export and returns its status address.
func (w *walker) start(ctx context.Context, kickOff string) (job string, err error) {
	res, err := w.get(ctx, w.base+kickOff, nil)
	if err != nil {
		return "", err
	}
	if job = res.Header.Get("Content-Location"); res.StatusCode != http.StatusAccepted || job == "" {
		return "", refused(res)
	}
	w.say("kick-off   %s", job)
	return job, res.Body.Close()
}

// follow asks for the status, as often as it may, until the export is complete.
func (w *walker) follow(ctx context.Context, job string) (m manifest, err error) {
	for {
		res, err := w.get(ctx, job, nil)
		if err != nil {
			return m, err
		}
		switch res.StatusCode {
		case http.StatusOK:
			defer res.Body.Close()
			return m, json.NewDecoder(res.Body).Decode(&m)
		case http.StatusAccepted:
			res.Body.Close()
			w.say("status     %s", res.Header.Get("X-Progress"))
			seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
			if err != nil {
				return m, fmt.Errorf("the status has no Retry-After: %w", err)
			}
			select {
			case <-time.After(time.Duration(seconds) * time.Second):
			case <-ctx.Done():
				return m, ctx.Err()
			}
		default:
			return m, refused(res)
		}
	}
}

// fetched is what a download came to.
type fetched struct {
	lines       int
	plain, wire int64
	sha256      string
}

// download fetches one file as it is stored, and counts and hashes what is in it.
func (w *walker) download(ctx context.Context, address string) (f fetched, err error) {
	res, err := w.get(ctx, address, http.Header{"Accept-Encoding": {"gzip"}})
	if err != nil {
		return f, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Encoding") != "gzip" {
		return f, refused(res)
	}
	wire := &counter{r: res.Body}
	plain, err := gzip.NewReader(wire)
	if err != nil {
		return f, err
	}
	plain.Multistream(false) // as clients do that read the first member only
	hash := sha256.New()
	lines := bufio.NewReaderSize(plain, 1<<16)
	for {
		line, err := lines.ReadSlice('\n')
		f.plain += int64(len(line))
		hash.Write(line)
		switch {
		case err == nil:
			f.lines++
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			if _, err := io.Copy(io.Discard, wire); err != nil {
				return f, err
			}
			f.wire, f.sha256 = wire.n, hex.EncodeToString(hash.Sum(nil))
			return f, nil
		default:
			return f, err
		}
	}
}

// fetchAll downloads every file of the manifest and checks it against it.
func (w *walker) fetchAll(ctx context.Context, m manifest) (sum fetched, err error) {
	for _, o := range m.Output {
		f, err := w.download(ctx, o.URL)
		if err != nil {
			return sum, fmt.Errorf("%s: %w", o.URL, err)
		}
		want := ""
		for _, e := range o.Extension {
			if strings.HasSuffix(e.URL, "/checksum") {
				want = strings.TrimPrefix(e.ValueString, "sha256:")
			}
		}
		if f.lines != o.Count || f.sha256 != want {
			return sum, fmt.Errorf("%s: %d lines with sha256 %s, the manifest says %d with %s", o.URL, f.lines, f.sha256, o.Count, want)
		}
		sum.lines, sum.plain, sum.wire = sum.lines+f.lines, sum.plain+f.plain, sum.wire+f.wire
	}
	return sum, nil
}

func (w *walker) get(ctx context.Context, address string, header http.Header) (*http.Response, error) {
	return w.ask(ctx, http.MethodGet, address, header)
}

// ask makes a request with the token.
func (w *walker) ask(ctx context.Context, method, address string, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if w.token != "" {
		req.Header.Set("Authorization", "Bearer "+w.token)
	}
	return w.http.Do(req)
}

func (w *walker) json(req *http.Request, status int, into any) error {
	res, err := w.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != status {
		return refused(res)
	}
	return json.NewDecoder(res.Body).Decode(into)
}

// refused reports an answer that is not the one the walk needs.
func refused(res *http.Response) error {
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, 2000))
	return fmt.Errorf("%s answered %s: %s", res.Request.URL.Path, res.Status, body)
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}
