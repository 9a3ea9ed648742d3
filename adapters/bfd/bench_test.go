package bfd

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
)

// BenchmarkPage measures cutting alone: a Bundle of claims as the synthetic
// people's, from memory.
func BenchmarkPage(b *testing.B) {
	claim, err := os.ReadFile("testdata/carrier.json")
	if err != nil {
		b.Fatal(err)
	}
	claim = onOneLine(claim)
	body := []byte(`{"resourceType":"Bundle","meta":{"lastUpdated":"2026-01-02T03:04:05Z"},"type":"searchset","entry":[` +
		strings.TrimSuffix(strings.Repeat(`{"resource":`+string(claim)+`},`, 50), ",") + `]}`)
	p := &page{max: 64 << 20}
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		p.reset(bytes.NewReader(body))
		for err = nil; err == nil; {
			_, err = p.next()
		}
		if err != io.EOF {
			b.Fatal(err)
		}
	}
}
