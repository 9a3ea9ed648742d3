package ndjson_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/metrics"
	"sync/atomic"
	"testing"
	"time"

	"cms.gov/ab2d/adapters/ndjson"
	"cms.gov/ab2d/adapters/synthetic"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// peakHeap watches the heap until the returned function tells the most that
// was in it, in MB.
func peakHeap() (stop func() float64) {
	var peak atomic.Uint64
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			metrics.Read(sample)
			peak.Store(max(peak.Load(), sample[0].Value.Uint64()))
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() float64 {
		close(done)
		<-ended
		return float64(peak.Load()) / 1e6
	}
}

// folderOf writes the population many times over under other names, so that
// there is as much as is wanted of it, and returns its size in plain bytes.
func folderOf(b *testing.B, copies int, suffix string) (string, int64) {
	b.Helper()
	dir := b.TempDir()
	plain := int64(0)
	for i := range copies {
		populate(b, filepath.Join(dir, fmt.Sprint(i)), domain.R4, suffix)
	}
	for _, e := range people() {
		for _, c := range readAll(b, synthetic.NewClaims(population, time.Now), ports.ClaimsQuery{Version: domain.R4, Patient: e.Patient}) {
			plain += int64(len(c))
		}
	}
	return dir, plain * int64(copies)
}

// BenchmarkIndex: the heap must not grow with the folder.
func BenchmarkIndex(b *testing.B) {
	for _, suffix := range []string{"", ".gz"} {
		for _, copies := range []int{2, 20} {
			b.Run(fmt.Sprintf("%d%s", copies, suffix), func(b *testing.B) {
				dir, bytes := folderOf(b, copies, suffix)
				index := b.TempDir()
				b.SetBytes(bytes)
				stop := peakHeap()
				for b.Loop() {
					if err := os.RemoveAll(index); err != nil {
						b.Fatal(err)
					}
					s, err := ndjson.Open(context.Background(), ndjson.Settings{Dir: dir, IndexDir: index, RunBytes: 1 << 20})
					if err != nil {
						b.Fatal(err)
					}
					s.Close()
				}
				b.ReportMetric(stop(), "peak-heap-MB")
			})
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, suffix := range []string{"", ".gz"} {
		b.Run("ndjson"+suffix, func(b *testing.B) {
			dir, bytes := folderOf(b, 1, suffix)
			s := opened(b, dir)
			b.SetBytes(bytes)
			b.ReportAllocs()
			for b.Loop() {
				for _, e := range people() {
					r, err := s.Read(context.Background(), ports.ClaimsQuery{Version: domain.R4, Patient: e.Patient})
					if err != nil {
						b.Fatal(err)
					}
					for err == nil {
						_, err = r.Next()
					}
					if !errors.Is(err, io.EOF) {
						b.Fatal(err)
					}
					r.Close()
				}
			}
		})
	}
}
