package parts

import "time"

func later() time.Time { return time.Now() }
