package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/session"
	"example.com/blotter/capstone/vault"
)

// partyCmd has the commands about personal data.
type partyCmd struct {
	Record partyRecordCmd `cmd:"" help:"Record fields of a person, read from standard input."`
	Show   partyShowCmd   `cmd:"" help:"Show the fields of a person, without their texts."`
	Unmask partyUnmaskCmd `cmd:"" help:"Show the texts, and put it on record who read them."`
	Rotate partyRotateCmd `cmd:"" help:"Wrap the keys of all persons with another master key."`
}

// said are the flags of a command that somebody must answer for.
type said struct {
	Actor  string `required:"" help:"The person who does it."`
	Reason string `required:"" help:"The reason why. It stays on record: name no person in it."`
}

// entry returns the attributes of the events of a command that is given now.
func (s said) entry(command, approver string) domain.Entry {
	return domain.Entry{CommandID: command + "/" + uuid.NewString(), Actor: s.Actor,
		Approver: approver, Reason: s.Reason, Source: "blotter/" + command,
		EnteredAt: time.Now()}
}

type partyRecordCmd struct {
	Party string `arg:"" help:"The id that stands for the person everywhere, such as trader/1."`
	said
}

// Run reads the texts from standard input, so that no list of processes shows them.
func (c *partyRecordCmd) Run(ctx context.Context, a *app) error {
	fields, err := readFields(os.Stdin)
	if err != nil {
		return err
	}
	if err := vault.Check(c.Party, fields); err != nil {
		return err
	}
	s, v, err := a.vault(ctx)
	if err != nil {
		return err
	}
	if err := v.Record(ctx, c.entry("party", ""), c.Party, fields); err != nil {
		return err
	}
	answer := map[string]any{"party": c.Party, "fields": len(fields)}
	return a.answer(of(s), answer, func(w io.Writer) {
		printLine(w, "recorded %s of %s, encrypted", plural(int64(len(fields)), "field"), c.Party)
	})
}

// readFields reads lines like name=Ann Smith. No error quotes a text.
func readFields(in io.Reader) (map[string]string, error) {
	fields, lines, n := map[string]string{}, bufio.NewScanner(in), 1
	for ; lines.Scan(); n++ {
		name, text, ok := strings.Cut(lines.Text(), "=")
		if _, twice := fields[name]; !ok || twice {
			return nil, &usageError{fmt.Sprintf("line %d of standard input is no new field", n),
				"give lines like name=Ann Smith, one for each field"}
		}
		fields[name] = text
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d of standard input: %w", n, err)
	}
	return fields, nil
}

// vault opens the log and its personal data, as the only writer.
func (a *app) vault(ctx context.Context) (*session.Session, *vault.Vault, error) {
	s, err := a.open(ctx, session.Write)
	if err != nil {
		return nil, nil, err
	}
	v, err := s.Vault(ctx)
	return s, v, err
}

type partyShowCmd struct {
	Party string `arg:"" help:"The id of the person."`
}

// A partyAnswer is the fields of a person. Texts are empty where they are masked.
type partyAnswer struct {
	Party  string        `json:"party"`
	Erased *time.Time    `json:"erased_at,omitempty"`
	Fields []vault.Field `json:"fields"`
}

// Run reads the log alone, and needs no key.
func (c *partyShowCmd) Run(ctx context.Context, a *app) error {
	s, err := a.open(ctx, session.Query)
	if err != nil {
		return err
	}
	p, err := vault.Fold(c.Party, s.Log.Stream(ctx, vault.Stream(c.Party)))
	if err == nil && p.Version == 0 {
		err = fmt.Errorf("party %s: %w", c.Party, vault.ErrNoParty)
	}
	if err != nil {
		return err
	}
	answer := partyAnswer{Party: c.Party, Fields: append([]vault.Field{}, p.Masked()...)}
	if p.Erased {
		answer.Erased = &p.Changed
	}
	return a.answer(of(s), answer, func(w io.Writer) { printParty(w, answer) })
}

func printParty(w io.Writer, answer partyAnswer) {
	if answer.Erased != nil {
		printLine(w, "%s is erased since %s: nobody can read its fields", answer.Party,
			answer.Erased.Format(time.RFC3339Nano))
	}
	var rows []string
	for _, f := range answer.Fields {
		text := f.Text
		if text == "" {
			text = "(masked)"
		}
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s", f.Name, text,
			f.Recorded.Format(time.RFC3339Nano), f.Event))
	}
	table(w, "field\ttext\trecorded\tevent", rows...)
}

type partyUnmaskCmd struct {
	Party string `arg:"" help:"The id of the person."`
	said
}

func (c *partyUnmaskCmd) Run(ctx context.Context, a *app) error {
	s, v, err := a.vault(ctx)
	if err != nil {
		return err
	}
	fields, err := v.Unmask(ctx, c.entry("party", ""), c.Party)
	if err != nil {
		return err
	}
	answer := partyAnswer{Party: c.Party, Fields: fields}
	return a.answer(of(s), answer, func(w io.Writer) { printParty(w, answer) })
}

type partyRotateCmd struct {
	To string `required:"" help:"${party_rotate_to}" placeholder:"FILE"`
}

func (c *partyRotateCmd) Run(ctx context.Context, a *app) error {
	text, err := os.ReadFile(c.To)
	if err != nil {
		return &usageError{"--to: " + err.Error(), "name a file with the new master key: " +
			"openssl rand -hex 64"}
	}
	to, err := vault.ParseMasterKey(string(text))
	if err != nil {
		return &usageError{fmt.Sprintf("--to: %s: %v", c.To, err), "openssl rand -hex 64"}
	}
	s, v, err := a.vault(ctx)
	if err != nil {
		return err
	}
	count, err := v.Rotate(ctx, to)
	if err != nil {
		return err
	}
	answer := map[string]any{"keys": count, "master": to.ID()}
	return a.answer(of(s), answer, func(w io.Writer) {
		printLine(w, "wrapped %s with the master key %s", plural(int64(count), "key"), to.ID())
		printLine(w, "  put it in keys/master or BLOTTER_MASTER_KEY, and destroy the old one")
	})
}
