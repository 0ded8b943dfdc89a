package oracle

import (
	"bytes"
	"encoding/csv"
	"errors"
	"slices"
	"strings"
)

// transitions has the status that an action leads to, by the status before it. An action without a
// row is refused.
var transitions = map[string]map[string]string{
	"":        {"NEWT": Open},
	Open:      {"MODI": Open, "CORR": Open, "VALU": Open, "TERM": Ended, "EROR": Withdrawn},
	Ended:     {"MODI": Ended, "CORR": Ended, "VALU": Ended, "REVI": Open, "EROR": Withdrawn},
	Withdrawn: {"REVI": Open},
}

// events has the events that each action allows (appendix F, table of valid combinations).
var events = map[string]string{
	"NEWT": "TRAD NOVA COMP CLRG EXER ALOC CLAL PTNG CORP UPDT",
	"MODI": "TRAD NOVA COMP EXER ALOC CREV CORP UPDT",
	"TERM": "NOVA COMP ETRM CLRG EXER ALOC CLAL CREV CORP",
}

// columns has the names of the columns that the model reads.
var columns = map[string]string{
	"26": "Action type", "27": "Event type", "28": "Amendment indicator",
	"44": "Total notional quantity", "69": "Price", "103": "Unique transaction identifier (UTI)",
}

func (r *Repository) cftc(file []byte) (answers []Answer, err error) {
	lines, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	if err != nil {
		return nil, err
	}
	place := map[string]int{}
	for number, name := range columns {
		i := slices.IndexFunc(lines[0], func(s string) bool { return strings.EqualFold(s, name) })
		if i < 0 {
			return nil, errors.New("no column " + name)
		}
		place[number] = i
	}
	for n, line := range lines[1:] {
		terms := map[string]string{}
		for number, i := range place {
			terms[number] = line[i]
		}
		answers = append(answers, r.cftcRecord(n+1, terms))
	}
	return answers, nil
}

func (r *Repository) cftcRecord(n int, terms map[string]string) Answer {
	a := Answer{Record: n, Key: terms["103"]}
	before, _ := r.State("CFTC", a.Key)
	action, event := terms["26"], terms["27"]
	after, ok := transitions[before.Status][action]
	switch {
	case !ok && action == "NEWT":
		a.Code, a.Reason = Duplicate, "the swap is "+before.Status
	case !ok && before.Status == "":
		a.Code, a.Reason = Unknown, "no NEWT of the swap"
	case !ok:
		a.Code, a.Reason = Closed, action+" of a swap that is "+before.Status
	case (event != "") != (events[action] != ""),
		event != "" && !slices.Contains(strings.Fields(events[action]), event):
		a.Code, a.Reason = BadPair, action+" with the event "+event
	case (terms["28"] != "") != (action == "MODI"):
		a.Code, a.Reason = BadPair, action+" with the amendment indicator "+terms["28"]
	case action == "TERM" || action == "EROR": // they change no term
		r.put("CFTC", a.Key, after, nil)
	default:
		r.put("CFTC", a.Key, after, terms)
	}
	return a
}
