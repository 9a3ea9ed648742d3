package claimtables

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/parquet-go/parquet-go"
)

const (
	claimsInGroup = 10_000 // rows that are held in memory, in columns, until they are written
	linesInGroup  = 25_000
	mostLine      = 64 << 20
	checkEvery    = 1000 // lines between two looks whether to go on
)

// Counts are what a conversion went through.
type Counts struct {
	Claims, Lines int64
	Others        int64 // resources that are no claims, which no table has
}

// Convert makes the tables of NDJSON. Memory does not grow with it: rows are
// written in groups. It fails at the first line that it cannot read.
func Convert(ctx context.Context, ndjson io.Reader, claims, lines io.Writer) (Counts, error) {
	var n Counts
	c := parquet.NewGenericWriter[Claim](claims, parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(claimsInGroup), parquet.CreatedBy("ab2d", "", ""))
	l := parquet.NewGenericWriter[Line](lines, parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(linesInGroup), parquet.CreatedBy("ab2d", "", ""))
	in := bufio.NewScanner(ndjson)
	in.Buffer(make([]byte, 1<<18), mostLine)
	for number := int64(1); in.Scan(); number++ {
		if number%checkEvery == 0 && ctx.Err() != nil {
			return n, ctx.Err()
		}
		if len(in.Bytes()) == 0 {
			continue
		}
		claim, rows, ok, err := read(in.Bytes())
		if err != nil {
			return n, fmt.Errorf("line %d: %w", number, err)
		}
		if !ok {
			n.Others++
			continue
		}
		if _, err := c.Write([]Claim{claim}); err != nil {
			return n, err
		}
		if _, err := l.Write(rows); err != nil {
			return n, err
		}
		n.Claims, n.Lines = n.Claims+1, n.Lines+int64(len(rows))
	}
	return n, errors.Join(in.Err(), c.Close(), l.Close())
}

// ConvertFile makes the tables of a file, on disk as a whole before it returns:
// at claims and lines, by way of temporary names beside them. Where the file has
// no claims it makes none.
func ConvertFile(ctx context.Context, ndjson, claims, lines string) (Counts, error) {
	in, err := os.Open(ndjson)
	if err != nil {
		return Counts{}, err
	}
	defer in.Close()
	var outs []*os.File
	for _, name := range []string{claims, lines} {
		out, err := os.OpenFile(name+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			return Counts{}, err
		}
		defer os.Remove(out.Name()) // where it was renamed, there is nothing to remove
		defer out.Close()
		outs = append(outs, out)
	}
	n, err := Convert(ctx, in, outs[0], outs[1])
	if err != nil || n.Claims == 0 {
		return n, err
	}
	for i, name := range []string{claims, lines} {
		if err := errors.Join(outs[i].Sync(), os.Rename(outs[i].Name(), name)); err != nil {
			return n, err
		}
	}
	return n, nil
}
