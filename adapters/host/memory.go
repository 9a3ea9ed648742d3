package host

import (
	"bytes"
	"os"
	"runtime/metrics"
	"strconv"
)

// Memory returns how many bytes of the machine's memory the process holds: as
// Linux counts them, and elsewhere what Go holds of it.
func Memory() int64 {
	if stat, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := bytes.Fields(stat); len(fields) > 1 {
			if pages, err := strconv.ParseInt(string(fields[1]), 10, 64); err == nil {
				return pages * int64(os.Getpagesize())
			}
		}
	}
	held := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(held)
	return int64(held[0].Value.Uint64() - held[1].Value.Uint64())
}
