//go:build unix && !linux

package main

import "syscall"

// dying would have a process end when the one that started it has ended. Linux
// alone can do so.
func dying() *syscall.SysProcAttr { return nil }
