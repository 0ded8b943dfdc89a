package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A line is a command as one line of JSON. Each op has the fields of its request.
type line struct {
	Op          string `json:"op"`
	CommandID   string `json:"command_id"`
	Ledger      string `json:"ledger"`
	EnteredAt   string `json:"entered_at"`
	EffectiveAt string `json:"effective_at"`
	Actor       string `json:"actor"`
	Approver    string `json:"approver"`
	Reason      string `json:"reason"`

	Account  string  `json:"account"`
	Name     string  `json:"name"`
	Type     string  `json:"type"`
	Normal   string  `json:"normal"`
	Currency string  `json:"currency"`
	Floor    *string `json:"floor"`

	Entry       string     `json:"entry"`
	By          string     `json:"by"`
	Replacement string     `json:"replacement"`
	Description string     `json:"description"`
	Lines       []lineLine `json:"lines"`
	OriginalAt  string     `json:"original_at"`
	To          string     `json:"to"`
	ToLines     []lineLine `json:"to_lines"`

	Period string `json:"period"`
}

// A lineLine is a line of an entry: one of debit and credit has the amount.
type lineLine struct {
	Account  string `json:"account"`
	Debit    string `json:"debit"`
	Credit   string `json:"credit"`
	Currency string `json:"currency"`
}

// ParseCommand reads a command from one line of JSON: see README.md.
func ParseCommand(text []byte) (cmd Command, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var l line
	if err := d.Decode(&l); err != nil {
		return cmd, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return cmd, errors.New("the line goes on after its object")
	}
	if err := contract.CheckMembers(text); err != nil {
		return cmd, err
	}
	if err := onlyFields(l.Op, text); err != nil {
		return cmd, err
	}
	cmd = Command{ID: l.CommandID, Ledger: l.Ledger, Actor: l.Actor, Approver: l.Approver,
		Reason: l.Reason}
	if cmd.EnteredAt, err = trade.ParseTime(l.EnteredAt); err != nil {
		return cmd, fmt.Errorf("entered_at: %w", err)
	}
	if cmd.EffectiveAt, err = optionalTime(l.EffectiveAt); err != nil {
		return cmd, fmt.Errorf("effective_at: %w", err)
	}
	cmd.Do, err = l.request()
	return cmd, err
}

// fieldsOf has the fields of each op beside those of all commands.
var fieldsOf = map[string][]string{
	"open":          {"account", "name", "type", "normal", "currency", "floor"},
	"rename":        {"account", "name"},
	"block":         {"account"},
	"unblock":       {"account"},
	"close":         {"account"},
	"reopen":        {"account"},
	"create":        {"entry", "description", "lines"},
	"post":          {"entry", "description", "lines", "original_at"},
	"transfer":      {"entry", "description", "lines", "to", "to_lines"},
	"reverse":       {"entry", "by"},
	"correct":       {"entry", "by", "replacement", "description", "lines"},
	"open-period":   {"period"},
	"close-period":  {"period"},
	"reopen-period": {"period"},
}

// onlyFields refuses a field of another op, which would have no effect.
func onlyFields(op string, text []byte) error {
	var set map[string]json.RawMessage
	if err := json.Unmarshal(text, &set); err != nil {
		return err
	}
	common := []string{"op", "command_id", "ledger", "entered_at", "effective_at", "actor",
		"approver", "reason"}
	own, known := fieldsOf[op]
	for _, field := range slices.Sorted(maps.Keys(set)) {
		if known && !slices.Contains(common, field) && !slices.Contains(own, field) {
			return fmt.Errorf("op %q has no field %q", op, field)
		}
	}
	return nil
}

func optionalTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	return trade.ParseTime(s)
}

// request returns the request of a line by its op.
func (l line) request() (Request, error) {
	switch l.Op {
	case "open":
		return l.open()
	case "rename":
		return RenameAccount{l.Account, l.Name}, nil
	case "block":
		return BlockAccount{l.Account}, nil
	case "unblock":
		return UnblockAccount{l.Account}, nil
	case "close":
		return CloseAccount{l.Account}, nil
	case "reopen":
		return ReopenAccount{l.Account}, nil
	case "reverse":
		return ReverseEntry{l.Entry, l.By}, nil
	case "open-period":
		return OpenPeriod{l.Period}, nil
	case "close-period":
		return ClosePeriod{l.Period}, nil
	case "reopen-period":
		return ReopenPeriod{l.Period}, nil
	}
	lines, err := linesOf("lines", l.Lines)
	if err != nil {
		return nil, err
	}
	switch l.Op {
	case "create":
		return CreateEntry{l.Entry, l.Description, lines}, nil
	case "post":
		at, err := optionalTime(l.OriginalAt)
		return PostEntry{Entry: l.Entry, Description: l.Description, Lines: lines, OriginalAt: at},
			err
	case "transfer":
		to, err := linesOf("to_lines", l.ToLines)
		return TransferEntry{l.Entry, l.Description, l.To, lines, to}, err
	case "correct":
		return CorrectEntry{l.Entry, l.By, l.Replacement, l.Description, lines}, nil
	}
	return nil, fmt.Errorf("op %q: want open, rename, block, unblock, close, reopen, create, "+
		"post, transfer, reverse, correct, open-period, close-period or reopen-period", l.Op)
}

func (l line) open() (Request, error) {
	r := OpenAccount{Account: l.Account, Name: l.Name, Type: AccountType(l.Type),
		Normal: Side(l.Normal), Currency: trade.Currency(l.Currency)}
	if l.Floor != nil {
		floor, err := trade.ParseDecimal(*l.Floor)
		if err != nil {
			return r, fmt.Errorf("floor: %w", err)
		}
		r.Floor = &floor
	}
	return r, nil
}

// linesOf returns nil only if the line has no list of that name: an empty one posts no draft.
func linesOf(list string, parts []lineLine) (all []Line, err error) {
	if parts != nil {
		all = []Line{}
	}
	for i, part := range parts {
		side, text := Debit, part.Debit
		if text == "" {
			side, text = Credit, part.Credit
		} else if part.Credit != "" {
			return nil, fmt.Errorf("%s[%d] has a debit and a credit", list, i)
		}
		amount, err := trade.ParseDecimal(text)
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", list, i, err)
		}
		all = append(all, Line{part.Account, side, amount, trade.Currency(part.Currency)})
	}
	return all, nil
}
