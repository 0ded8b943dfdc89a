// Package impure is not in the list.
package impure

import "time"

func now() time.Time { return time.Now() }
