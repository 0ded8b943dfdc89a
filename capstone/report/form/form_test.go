package form_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/report/form"
)

var letters = form.Structure{
	Namespace: "urn:letters",
	Root:      "box",
	Types: map[string]string{
		"box":   "name:text? letter:page+ stamp:price*",
		"page":  "(to:text | from:text) (line:text mark:number)*",
		"price": "@Ccy:currency #number",
	},
	Values: map[string]form.Value{
		"text":     {Pattern: `[a-z]+`},
		"number":   {Pattern: `-?\d+(\.\d+)?`, Digits: 3},
		"currency": form.Code("EUR USD"),
	},
}.Compile()

const head = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// A document is the same bytes whenever it is written, and is read again.
func TestWrite(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w, err := letters.Writer(&b)
	require.NoError(t, err)
	require.NoError(t, w.Open("box"))
	n := &form.Node{Name: "letter"}
	n.Set("to", "anna")
	n.Set("line", "a")
	n.Set("mark", "1")
	require.NoError(t, w.Put(n))
	p := &form.Node{Name: "box"}
	p.Set("stamp", "0.50")
	p.Set("stamp/@Ccy", "EUR")
	require.NoError(t, w.Put(p.Children[0]))
	require.NoError(t, w.Close())
	require.Equal(t, head+`<box xmlns="urn:letters">
  <letter>
    <to>anna</to>
    <line>a</line>
    <mark>1</mark>
  </letter>
  <stamp Ccy="EUR">0.50</stamp>
</box>
`, b.String())
	root, err := letters.Read(b.Bytes())
	require.NoError(t, err)
	to, ok := root.Find("letter/to")
	require.True(t, ok)
	require.Equal(t, "anna", to)
}

// A document that breaks the structure is refused, and the error names the place.
func TestRead(t *testing.T) {
	t.Parallel()
	const ok = `<letter><to>a</to></letter>`
	for name, c := range map[string]struct{ doc, err string }{
		"another root":     {`<bag/>`, "the root element is bag, want box"},
		"not closed":       {`<box>`, "no well-formed document: XML syntax error"},
		"text":             {`<box>a` + ok + `</box>`, "box has text or attributes"},
		"an attribute":     {`<box a="b">` + ok + `</box>`, "box has text or attributes"},
		"too few":          {`<box></box>`, "box has the elements [], want"},
		"out of order":     {`<box>` + ok + `<name>a</name></box>`, "box has the elements [letter"},
		"twice":            {`<box><name>a</name><name>a</name>` + ok + `</box>`, "[name,name"},
		"unknown":          {`<box>` + ok + `<other>a</other></box>`, "[letter,other]"},
		"both of a choice": {`<box><letter><to>a</to><from>a</from></letter></box>`, "[to,from]"},
		"half a group":     {`<box><letter><to>a</to><line>a</line></letter></box>`, "[to,line]"},
		"a pattern":        {`<box><name>A</name>` + ok + `</box>`, `box/name[0] is "A", want`},
		"digits": {`<box>` + ok + `<stamp Ccy="EUR">1.234</stamp></box>`,
			`box/stamp[1] is "1.234", with more than 3 digits`},
		"no currency": {`<box>` + ok + `<stamp>1</stamp></box>`, "box/stamp[1] has 0 attributes"},
		"a bad currency": {`<box>` + ok + `<stamp Ccy="GBP">1</stamp></box>`,
			`box/stamp[1]@Ccy is "GBP", want EUR|USD`},
		"another attribute": {`<box>` + ok + `<stamp a="EUR">1</stamp></box>`,
			"box/stamp[1] has the attribute a"},
		"an element in a text": {`<box><name><to>a</to></name>` + ok + `</box>`,
			"box/name[0] has attributes or elements"},
	} {
		doc := bytes.Replace([]byte(c.doc), []byte("<box"), []byte(`<box xmlns="urn:letters"`), 1)
		doc = bytes.Replace(doc, []byte("<bag"), []byte(`<bag xmlns="urn:letters"`), 1)
		_, err := letters.Read(doc)
		require.ErrorContains(t, err, c.err, name)
	}
	_, err := letters.Read([]byte(`<box>` + ok + `</box>`))
	require.ErrorContains(t, err, `box is in the namespace "", want "urn:letters"`)
}

// Leading zeros, and zeros at the end of a fraction, are no digits.
func TestDigits(t *testing.T) {
	t.Parallel()
	for text, fits := range map[string]bool{
		"999": true, "1000": false, "000999": true, "1.10": true, "1.230": true, "-12.34": false,
	} {
		doc := `<box xmlns="urn:letters"><letter><to>a</to><line>a</line><mark>` + text +
			`</mark></letter></box>`
		_, err := letters.Read([]byte(doc))
		require.Equal(t, fits, err == nil, text)
	}
}
