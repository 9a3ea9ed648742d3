package memory

import (
	"compress/gzip"
	"errors"
	"io"

	"cms.gov/ab2d/ports"
)

// Packing implements ports.Packing with the plainest gzip. It has no index and
// reads from the start each time.
type Packing struct{}

var _ ports.Packing = Packing{}

// Pack implements ports.Packing.
func (Packing) Pack(dst io.Writer) ports.Packer { return &packer{zip: gzip.NewWriter(dst)} }

// Unpack implements ports.Packing.
func (Packing) Unpack(src io.ReadSeeker, _ []byte, offset int64) (io.ReadCloser, error) {
	if offset < 0 {
		return nil, errors.New("the offset is negative")
	}
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	plain, err := gzip.NewReader(src)
	if err != nil {
		return nil, err
	}
	plain.Multistream(false)
	if _, err := io.CopyN(io.Discard, plain, offset); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return io.NopCloser(plain), nil // its Close would tell of damage once more
}

type packer struct {
	zip      *gzip.Writer
	finished bool
}

var errFinished = errors.New("the packer is finished")

func (p *packer) Write(b []byte) (int, error) {
	if p.finished {
		return 0, errFinished
	}
	return p.zip.Write(b)
}

func (p *packer) Finish() ([]byte, error) {
	if p.finished {
		return nil, errFinished
	}
	p.finished = true
	return nil, p.zip.Close()
}
