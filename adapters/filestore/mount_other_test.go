//go:build !linux

package filestore

import "errors"

func mountSmall(string) (unmount func() error, err error) {
	return nil, errors.New("only done on Linux")
}
