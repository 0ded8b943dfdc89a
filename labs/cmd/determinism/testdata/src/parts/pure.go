// Package parts has one pure file.
package parts

import "time"

func now() time.Time { return time.Now() } // want `time.Now reads the clock`
