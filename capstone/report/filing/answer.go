package filing

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"example.com/blotter/capstone/extract"
	"example.com/blotter/capstone/report"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// answerHeader names the columns of an answer: the message of rows.csv, and the code and the reason
// of a rejection. An accepted message has no code.
var answerHeader = []string{"message", "code", "text"}

// ReadAnswer reads a repository's answer to the report in a folder, of any regime, from CSV. The
// answer must have each message of the report once.
func ReadAnswer(dir string, file []byte) (report.Answered, error) {
	st, err := Read(dir)
	if err != nil {
		return report.Answered{}, err
	}
	a := report.Answered{Name: st.Name, Digest: fmt.Sprintf("%x", sha256.Sum256(file)),
		Rejected: []report.Rejected{}}
	open, err := unanswered(dir)
	if err != nil {
		return a, err
	}
	lines, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	if err != nil {
		return a, fmt.Errorf("the answer: %w", err)
	}
	if len(lines) == 0 || !slices.Equal(lines[0], answerHeader) {
		return a, fmt.Errorf("the answer: line 1: want the header message,code,text")
	}
	for i, l := range lines[1:] {
		if err := checkText(l[1:]); err != nil {
			return a, fmt.Errorf("the answer: record %d: %w", i+1, err)
		}
		if !open[l[0]] {
			return a, fmt.Errorf("the answer: record %d: the report has no message %q, "+
				"or it was answered before", i+1, l[0])
		}
		delete(open, l[0])
		if l[1] == "" {
			a.Accepted++
		} else {
			a.Rejected = append(a.Rejected, report.Rejected{Message: l[0], Code: l[1], Text: l[2]})
		}
	}
	return a, missing(open)
}

// checkText refuses a code or a text that is too long to be on record, or that cannot be printed.
func checkText(codeAndText []string) error {
	for i, s := range codeAndText {
		name := answerHeader[i+1]
		switch {
		case len(s) > contract.MaxAttribute:
			return fmt.Errorf("its %s has %d bytes: at most %d are allowed", name, len(s),
				contract.MaxAttribute)
		case !utf8.ValidString(s) ||
			strings.ContainsFunc(s, func(r rune) bool { return !trade.IsPrintable(r) }):
			return fmt.Errorf("its %s has characters that cannot be printed", name)
		}
	}
	return nil
}

// unanswered returns the messages of a report.
func unanswered(dir string) (map[string]bool, error) {
	rows, err := readCSV(filepath.Join(dir, RowsFile))
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, &extract.Fault{File: RowsFile, What: "it has no header"}
	}
	open := map[string]bool{}
	for _, row := range rows[1:] {
		open[row[1]] = true
	}
	return open, nil
}

func readCSV(path string) ([][]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return lines, err
}

func missing(open map[string]bool) error {
	if len(open) == 0 {
		return nil
	}
	var first string
	for message := range open {
		if first == "" || message < first {
			first = message
		}
	}
	return fmt.Errorf("the answer lacks %d messages of the report, such as %s", len(open), first)
}
