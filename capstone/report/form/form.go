// Package form writes XML documents, and checks them against the published structure of their kind:
// the names and the order of elements, how often each occurs, and the form of each value.
//
// A structure is two tables. A type is a sequence of elements, each with the type of its content:
//
//	"report": "RecordSeqNumber:seq traderID:trader? optionExerciseDate:date* (lei:lei | mic:mic)"
//
// An element occurs once, or as often as ?, * or + after it says. Parentheses group, | chooses. A
// type that begins with @ has attributes and a value: "@Ccy:currency #amount". A value is a regular
// expression over the whole text, and a limit of digits.
package form

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// A Structure is the structure of one kind of document.
type Structure struct {
	Namespace string
	Root      string // the name of the root element; its type is the one of that name
	Types     map[string]string
	Values    map[string]Value

	models map[string]model
	forms  map[string]*regexp.Regexp
}

// A model is a type, compiled.
type model struct {
	order *regexp.Regexp    // over Node.names
	types map[string]string // of each element, or of each attribute
	value string            // the type of the text of an element with attributes
}

// Compile returns s, ready to read documents. It panics for a table that does not compile: tables
// are code.
func (s Structure) Compile() Structure {
	s.models, s.forms = map[string]model{}, map[string]*regexp.Regexp{}
	for name, v := range s.Values {
		s.forms[name] = regexp.MustCompile("^(?:" + v.Pattern + ")$")
	}
	for name, text := range s.Types {
		elements, value, _ := strings.Cut(text, "#")
		m := model{types: map[string]string{}, value: value}
		for _, e := range element.FindAllStringSubmatch(elements, -1) {
			m.types[e[1]] = e[2]
		}
		if value == "" {
			order := element.ReplaceAllString(elements, `(?:$1,)`)
			m.order = regexp.MustCompile("^(?:" + strings.ReplaceAll(order, " ", "") + ")$")
		}
		s.models[name] = m
	}
	return s
}

var element = regexp.MustCompile(`(\w+):(\w+)`)

// A Value is the form of a text.
type Value struct {
	Pattern string
	Digits  int // at most so many significant digits; zero does not limit
}

// Code returns the form of a text that is one of the given codes.
func Code(codes string) Value {
	return Value{Pattern: strings.Join(strings.Fields(codes), "|")}
}

// A Node is an element.
type Node struct {
	Name     string
	Attrs    []xml.Attr
	Text     string
	Children []*Node
}

// Child appends an element, and returns it.
func (n *Node) Child(name string) *Node {
	n.Children = append(n.Children, &Node{Name: name})
	return n.Children[len(n.Children)-1]
}

// Set appends an element with a text. path names the elements down to it, such as
// contractInfo/contract/contractId; those above it are appended unless the last element of their
// level has their name. A path that ends with @name sets an attribute of the last element.
func (n *Node) Set(path, text string) {
	name, rest, deeper := strings.Cut(path, "/")
	switch attr, isAttr := strings.CutPrefix(name, "@"); {
	case isAttr:
		n.Attrs = append(n.Attrs, xml.Attr{Name: xml.Name{Local: attr}, Value: text})
	case !deeper:
		n.Child(name).Text = text
	case len(n.Children) > 0 && n.Children[len(n.Children)-1].Name == name:
		n.Children[len(n.Children)-1].Set(rest, text)
	default:
		n.Child(name).Set(rest, text)
	}
}

// Find returns the text of the first element at a path below n. ok is false if there is none.
func (n *Node) Find(path string) (text string, ok bool) {
	name, rest, deeper := strings.Cut(path, "/")
	for _, c := range n.Children {
		if c.Name == name && !deeper {
			return c.Text, true
		}
		if c.Name == name {
			return c.Find(rest)
		}
	}
	return "", false
}

// A Writer writes a document element by element, so that a long one needs no memory.
type Writer struct {
	w         io.Writer
	e         *xml.Encoder
	namespace string // of the root; the elements below inherit it
	open      []xml.StartElement
}

// Writer begins a document of s, without an element.
func (s Structure) Writer(w io.Writer) (*Writer, error) {
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	_, err := io.WriteString(w, xml.Header)
	return &Writer{w: w, e: e, namespace: s.Namespace}, err
}

// Open begins an element. Close ends it.
func (w *Writer) Open(name string) error {
	start := xml.StartElement{Name: xml.Name{Local: name}}
	if len(w.open) == 0 {
		start.Name.Space = w.namespace
	}
	w.open = append(w.open, start)
	return w.e.EncodeToken(start)
}

// Put writes an element with all below it.
func (w *Writer) Put(n *Node) error {
	start := xml.StartElement{Name: xml.Name{Local: n.Name}, Attr: n.Attrs}
	if err := w.e.EncodeToken(start); err != nil {
		return err
	}
	if n.Text != "" {
		if err := w.e.EncodeToken(xml.CharData(n.Text)); err != nil {
			return err
		}
	}
	for _, c := range n.Children {
		if err := w.Put(c); err != nil {
			return err
		}
	}
	return w.e.EncodeToken(start.End())
}

// Close ends every open element and the document.
func (w *Writer) Close() error {
	for _, start := range slices.Backward(w.open) {
		if err := w.e.EncodeToken(start.End()); err != nil {
			return err
		}
	}
	if err := w.e.Close(); err != nil {
		return err
	}
	_, err := io.WriteString(w.w, "\n")
	return err
}

// Read reads a document of s, and checks it. The error names the first element that breaks the
// structure.
func (s Structure) Read(doc []byte) (*Node, error) {
	root, err := s.parse(xml.NewDecoder(bytes.NewReader(doc)))
	if err != nil {
		return nil, err
	}
	if root.Name != s.Root {
		return nil, fmt.Errorf("the root element is %s, want %s", root.Name, s.Root)
	}
	return root, s.check(root, s.Root, root.Name)
}

func (s Structure) parse(d *xml.Decoder) (*Node, error) {
	top := &Node{}
	open := []*Node{top}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && len(top.Children) == 1 {
			return top.Children[0], nil
		}
		if err != nil {
			return nil, fmt.Errorf("no well-formed document: %w", err)
		}
		last := open[len(open)-1]
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Space != s.Namespace {
				return nil, fmt.Errorf("%s is in the namespace %q, want %q", t.Name.Local,
					t.Name.Space, s.Namespace)
			}
			n := last.Child(t.Name.Local)
			for _, a := range t.Attr {
				if a.Name.Local != "xmlns" {
					n.Attrs = append(n.Attrs, a)
				}
			}
			open = append(open, n)
		case xml.EndElement:
			if len(last.Children) > 0 {
				last.Text = strings.TrimSpace(last.Text)
			}
			open = open[:len(open)-1]
		case xml.CharData:
			last.Text += string(t)
		}
	}
}

// check checks an element and all below it against a type.
func (s Structure) check(n *Node, typ, path string) error {
	m, isModel := s.models[typ]
	switch {
	case !isModel && (len(n.Attrs) > 0 || len(n.Children) > 0):
		return fmt.Errorf("%s has attributes or elements, and only text is allowed", path)
	case !isModel:
		return s.checkText(n.Text, typ, path)
	case m.order == nil:
		return s.checkAttrs(n, m, path)
	case strings.TrimSpace(n.Text) != "" || len(n.Attrs) > 0:
		return fmt.Errorf("%s has text or attributes, and only elements are allowed", path)
	case !m.order.MatchString(n.names()):
		return fmt.Errorf("%s has the elements [%s], want %s", path,
			strings.TrimSuffix(n.names(), ","), s.Types[typ])
	}
	for i, c := range n.Children {
		below := fmt.Sprintf("%s/%s[%d]", path, c.Name, i)
		if err := s.check(c, m.types[c.Name], below); err != nil {
			return err
		}
	}
	return nil
}

// names returns the names of n's elements in order, each with a comma after it.
func (n *Node) names() string {
	var b strings.Builder
	for _, c := range n.Children {
		b.WriteString(c.Name + ",")
	}
	return b.String()
}

func (s Structure) checkText(text, typ, path string) error {
	v, ok := s.Values[typ]
	switch {
	case !ok:
		return fmt.Errorf("%s: no type %q in the table", path, typ)
	case !s.forms[typ].MatchString(text):
		return fmt.Errorf("%s is %q, want %s", path, text, v.Pattern)
	case v.Digits > 0 && significant(text) > v.Digits:
		return fmt.Errorf("%s is %q, with more than %d digits", path, text, v.Digits)
	}
	return nil
}

// significant counts the digits of a decimal number without leading zeros, and without the zeros
// at the end of its fraction.
func significant(text string) int {
	text = strings.TrimLeft(text, "-+0")
	if strings.Contains(text, ".") {
		text = strings.TrimRight(text, "0")
	}
	return len(strings.ReplaceAll(text, ".", ""))
}

// checkAttrs checks an element that has attributes and a text. Every attribute is required.
func (s Structure) checkAttrs(n *Node, m model, path string) error {
	if len(n.Attrs) != len(m.types) || len(n.Children) > 0 {
		return fmt.Errorf("%s has %d attributes and %d elements, want %d and none", path,
			len(n.Attrs), len(n.Children), len(m.types))
	}
	for _, a := range n.Attrs {
		typ, ok := m.types[a.Name.Local]
		if !ok {
			return fmt.Errorf("%s has the attribute %s, which is not allowed", path, a.Name.Local)
		}
		if err := s.checkText(a.Value, typ, path+"@"+a.Name.Local); err != nil {
			return err
		}
	}
	return s.checkText(n.Text, m.value, path)
}
