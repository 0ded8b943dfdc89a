//go:build !linux

package audit_test

import "time"

var started = time.Now()

func cpu() time.Duration { return time.Since(started) }
