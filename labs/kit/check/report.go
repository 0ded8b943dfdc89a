package check

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Graded is the environment variable that makes a run of go test a graded one. Run then reads an
// Order from standard input, and appends a Record of each verdict to the file that it names.
const Graded = "BLOTTER_GRADE"

// An Order is what a grader tells a graded run. The implementation cannot learn it: Run reads it
// BEFORE the first call of the implementation, and keeps it where only this package can read.
type Order struct {
	Nonce  string        `json:"nonce"`  // every record must repeat it
	Seed   uint64        `json:"seed"`   // see T.Seed
	Report string        `json:"report"` // the file that takes the records
	Limit  time.Duration `json:"limit"`  // no check may take longer; 0: each has its own limit
}

// A Record is one line of a report: a verdict, or the end of the run. A report without the end
// comes from a process that ended early.
//
//	{"nonce":"K3J…","id":"L5.1","outcome":"passed"}
//	{"nonce":"K3J…","ended":24}
type Record struct {
	Nonce   string  `json:"nonce"`
	ID      string  `json:"id,omitempty"`
	Outcome Outcome `json:"outcome,omitempty"`
	Text    string  `json:"text,omitempty"`
	Hung    bool    `json:"hung,omitempty"`
	Ended   int     `json:"ended,omitempty"` // the number of verdicts before it
}

// A reporter writes the report of a graded run. A nil reporter writes nothing.
type reporter struct {
	order Order
	mu    sync.Mutex
	file  *os.File
	count int
}

// newReporter returns nil unless the run is graded.
func newReporter() (*reporter, error) {
	if os.Getenv(Graded) == "" {
		return nil, nil
	}
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return nil, fmt.Errorf("read the order of the grader: %w", err)
	}
	r := &reporter{}
	if err := json.Unmarshal(text, &r.order); err != nil {
		return nil, fmt.Errorf("read the order of the grader: %w", err)
	}
	r.file, err = os.OpenFile(r.order.Report, os.O_WRONLY|os.O_APPEND, 0)
	return r, err
}

func (r *reporter) seed() uint64 {
	if r == nil {
		return 0
	}
	return r.order.Seed
}

// limit returns the time that a check may take.
func (r *reporter) limit(c Check) time.Duration {
	limit := cmp.Or(c.Limit, Limit)
	if r == nil || r.order.Limit == 0 {
		return limit
	}
	return min(limit, r.order.Limit)
}

func (r *reporter) verdict(v Verdict) error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	return r.write(Record{ID: v.Check.ID, Outcome: v.Outcome, Text: v.Text, Hung: v.Hung})
}

// end writes the last record. After a crash BEFORE it the grader tries the missing checks alone.
func (r *reporter) end() error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.write(Record{Ended: r.count}); err != nil {
		return err
	}
	return r.file.Close()
}

func (r *reporter) write(record Record) error {
	record.Nonce = r.order.Nonce
	line, err := json.Marshal(record)
	if err != nil {
		return err
	}
	_, err = r.file.Write(append(line, '\n'))
	return err
}
