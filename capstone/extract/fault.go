package extract

import "fmt"

// A Fault is the first thing about a bundle that does not hold.
type Fault struct {
	File string `json:"file"`           // in the bundle
	Line int    `json:"line,omitempty"` // 1-based; 0 where no single line is to blame
	What string `json:"what"`
}

func (f *Fault) Error() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %s", f.File, f.What)
	}
	return fmt.Sprintf("%s, line %d: %s", f.File, f.Line, f.What)
}

func fault(file string, line int, format string, args ...any) *Fault {
	return &Fault{file, line, fmt.Sprintf(format, args...)}
}
