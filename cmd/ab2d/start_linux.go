package main

import "syscall"

// dying has a process end when the one that started it has ended.
func dying() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
