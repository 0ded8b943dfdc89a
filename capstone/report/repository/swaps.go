package repository

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Names of elements that the repository reads.
const (
	action    = "Action type"
	event     = "Event type"
	amended   = "Amendment indicator"
	executed  = "Execution timestamp"
	happened  = "Event timestamp"
	reported  = "Reporting timestamp"
	prior     = "Prior UTI (for one-to-one and one-to-many relations between transactions)"
	uti       = "Unique transaction identifier (UTI)"
	first     = "Counterparty 1 (reporting counterparty)"
	second    = "Counterparty 2"
	valuation = "Valuation amount"
)

// swaps reads a file of part 45.
func swaps(file []byte) ([]Record, error) {
	return csvRecords(file, prior, valuation)
}

// publicSwaps reads a file of part 43. It lacks elements of part 45, which are not public.
func publicSwaps(file []byte) ([]Record, error) {
	all, err := csvRecords(file)
	for _, r := range all {
		if _, there := r[valuation]; there {
			return nil, fmt.Errorf("the report has a column %q: it is of part 45", valuation)
		}
	}
	return all, err
}

// csvRecords returns the records of a file, by the names of their elements.
func csvRecords(file []byte, also ...string) (all []Record, err error) {
	lines, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	if err != nil || len(lines) == 0 {
		return nil, fmt.Errorf("the report is no CSV file with a header: %v", err)
	}
	mandatory := []string{action, event, uti, first, second, executed, reported}
	for _, name := range append(mandatory, also...) {
		if !slices.Contains(lines[0], name) {
			return nil, fmt.Errorf("the report has no column %q: it is of other rules", name)
		}
	}
	for _, line := range lines[1:] {
		r := Record{}
		for i, name := range lines[0] {
			r[name] = line[i]
		}
		all = append(all, r)
	}
	return all, nil
}

// judgeSwap judges a record of part 45.
func judgeSwap(h Held, r Record) (code, text string) {
	if code, text = judgeAny(h, r); code != "" {
		return code, text
	}
	if (r[action] == "NEWT" && r[event] != "TRAD") != (r[prior] != "") {
		return "PRIOR", prior
	}
	return "", ""
}

// judgePublic judges a record of part 43.
func judgePublic(h Held, r Record) (code, text string) {
	if r[action] == "VALU" || r[action] == "MODI" && (r[amended] != "True" || r[event] == "EXER") {
		return "PUBLIC", "the message is for part 45 only"
	}
	return judgeAny(h, r)
}

// judgeAny applies the rules that both parts have.
func judgeAny(h Held, r Record) (code, text string) {
	switch {
	case !complete(r):
		return "FORMAT", "a mandatory element is blank, or has another form"
	case !allowedPair(r[action], r[event]):
		return "PAIR", "event type " + r[event]
	case transitions[h.State+" "+r[action]] == "":
		return stateOf(r[action], h.State)
	case (r[action] == "MODI") != (r[amended] != ""):
		return "FORMAT", amended
	case r[action] != "VALU" && r[happened] < r[executed] || r[reported] < r[executed]:
		return "TIME", "before the execution"
	}
	return "", ""
}

// keepSwap keeps the last record. A valuation changes nothing.
func keepSwap(h Held, r Record) Held {
	if r[action] == "VALU" {
		return h
	}
	return Held{transitions[h.State+" "+r[action]], []Record{r}}
}

// transitions are the states of a swap by its state and the action type (appendix F).
var transitions = map[string]string{
	" NEWT":     "open",
	"open MODI": "open", "open CORR": "open", "open TERM": "ended", "open EROR": "error",
	"open VALU": "open", "ended MODI": "ended", "ended CORR": "ended", "ended VALU": "ended",
	"ended EROR": "error", "ended REVI": "open", "error REVI": "open",
}

func allowedPair(action, event string) bool {
	pairs := map[string]string{"NEWT": "TRAD NOVA EXER", "MODI": "TRAD NOVA EXER",
		"TERM": "ETRM NOVA EXER"}
	if pairs[action] == "" {
		return event == ""
	}
	return event != "" && slices.Contains(strings.Fields(pairs[action]), event)
}

var (
	lei   = regexp.MustCompile(`^[A-Z0-9]{18}[0-9]{2}$`)
	trade = regexp.MustCompile(`^[A-Z0-9]{18}[0-9]{2}[A-Z0-9]{1,32}$`)
	stamp = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)
	money = regexp.MustCompile(`^-?\d{1,20}(\.\d{1,5})?$`)
)

// complete reports whether the mandatory elements are there, in their forms.
func complete(r Record) bool {
	forms := map[string]*regexp.Regexp{first: lei, second: lei, uti: trade, reported: stamp}
	if r[action] == "VALU" {
		forms[valuation] = money
	} else {
		forms[executed], forms[happened] = stamp, stamp
		forms["Notional amount"], forms["Total notional quantity"] = money, money
	}
	return matches(r, forms)
}
