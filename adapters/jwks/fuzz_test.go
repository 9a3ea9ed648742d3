package jwks

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"cms.gov/ab2d/domain"
)

// FuzzToken reads tokens of strangers, and tokens with whatever the issuer's key
// may have signed. None but a signed one is good, and that only when it is of the
// issuer, for this audience, not over, and names one client and the scope; each
// other is refused as a client can be told.
func FuzzToken(f *testing.F) {
	private, err := rsa.GenerateKey(rand.Reader, rsaBits)
	if err != nil {
		f.Fatal(err)
	}
	const issuer, audience, scope = "https://issuer.test", "ab2d", "clientCreds"
	now := time.Unix(1_772_000_000, 0)
	v := NewVerifier(VerifierSettings{Issuer: issuer, Audience: audience, Scope: scope, Now: func() time.Time { return now },
		Keys: func(_ context.Context, id, algorithm string) (Key, error) {
			if id != "k" {
				return Key{}, ErrUnknownKey
			}
			return Key{ID: id, Algorithm: "RS256", Public: private.Public()}, nil
		}})
	const header, good = `{"alg":"RS256","kid":"k"}`, `{"iss":"https://issuer.test","aud":"ab2d","exp":1772000600,"cid":"c","sub":"c","scp":["clientCreds"]}`
	f.Add(header, good, true)
	f.Add(header, good, false)
	for _, h := range []string{`{"alg":"none"}`, `{"alg":"HS256","kid":"k"}`, `{"alg":"RS256","kid":7}`, `{"alg":"RS256","kid":"k","crit":["x"]}`, `{"alg":"RS256","kid":"other"}`, `{}`, `[]`, ``} {
		f.Add(h, good, true)
	}
	for from, to := range map[string]string{`"iss":"https`: `"iss":"http`, `"aud":"ab2d"`: `"aud":["x","ab2d"]`, `1772000600`: `1e99`, `"exp":1772000600`: `"exp":1,"exp":1772000600`, `"cid":"c"`: `"cid":["c"]`,
		`"sub":"c"`: `"sub":null`, `["clientCreds"]`: `"other clientCreds"`, `["clientCreds"]}`: `[7,null]}`, `"exp":1772000600,`: ``, `600,`: `600,"nbf":1772009999,`, `{"iss"`: `{"iat":"soon","iss"`} {
		f.Add(header, strings.Replace(good, from, to, 1), true)
	}
	f.Fuzz(func(t *testing.T, header, claims string, signs bool) {
		coded := base64.RawURLEncoding.EncodeToString
		text, signature := coded([]byte(header))+"."+coded([]byte(claims)), []byte("of nobody")
		if signs {
			sum := sha256.Sum256([]byte(text))
			if signature, err = rsa.SignPKCS1v15(nil, private, crypto.SHA256, sum[:]); err != nil {
				t.Fatal(err)
			}
		}
		for _, token := range []string{header + claims, text + "." + coded(signature)} {
			g, err := v.Verify(t.Context(), token)
			if err != nil {
				if told := (*domain.Error)(nil); !errors.As(err, &told) || told.Code != domain.Unauthenticated || told.Message == "" || told.Next == "" {
					t.Errorf("%s is refused with %v, which tells the client nothing", token, err)
				}
				continue
			}
			var c map[string]any
			bad := json.Unmarshal([]byte(claims), &c)
			heard, many := c["aud"].([]any)
			until, _ := c["exp"].(float64)
			if bad != nil || !signs || c["iss"] != issuer || c["aud"] != audience && (!many || !slices.Contains(heard, any(audience))) ||
				until <= float64(now.Add(-leeway).Unix()) || g.Client == "" || c["cid"] != string(g.Client) || !slices.Contains(g.Scopes, scope) {
				t.Errorf("%s, %s is good for %+v", header, claims, g)
			}
		}
	})
}

// FuzzKeySet reads key sets of clients and of issuers: what is taken of one can
// verify signatures and is nobody's secret.
func FuzzKeySet(f *testing.F) {
	for _, seed := range []string{`{"keys":[]}`, `{}`, `{"keys":[null,7,{}]}`, `{"keys":[{"kty":"oct","k":"AA"}]}`, `{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`,
		`{"keys":[{"kty":"EC","crv":"P-384","kid":"k","x":"AA","y":"AA"}]}`, `{"keys":[{"kty":"EC","crv":"P-256","use":"sig","key_ops":["verify"],` +
			`"x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, set []byte) {
		keys, err := Parse(set)
		for _, k := range keys {
			fits := false
			for _, a := range []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"} {
				fits = fits || Key{Public: k.Public}.Fits(a)
			}
			if err != nil || !fits {
				t.Errorf("%s holds %+v, %v", set, k, err)
			}
		}
	})
}
