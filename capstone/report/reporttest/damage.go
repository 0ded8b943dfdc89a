package reporttest

import (
	"bytes"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/report/form"
)

// HoldStructure fails unless a document is read, and every damaged copy is refused: two elements in
// another order, an element twice, and a value that is "~". free has the elements whose text is
// free, and many those that may occur more often than once.
func HoldStructure(t require.TestingT, namespace string, doc []byte,
	read func([]byte) (*form.Node, error), free, many map[string]bool,
) {
	root, err := read(doc)
	require.NoError(t, err)
	refused := func(damage string, n *form.Node) {
		_, err := read(written(t, namespace, root))
		require.Error(t, err, "%s: %s", damage, n.Name)
	}
	var visit func(*form.Node)
	visit = func(n *form.Node) {
		if was := n.Text; len(n.Children) == 0 && !free[n.Name] {
			n.Text = "~"
			refused("another value", n)
			n.Text = was
		}
		for i, c := range n.Children {
			if i > 0 && n.Children[i-1].Name != c.Name {
				n.Children[i-1], n.Children[i] = c, n.Children[i-1]
				refused("another order", c)
				n.Children[i-1], n.Children[i] = n.Children[i], c
			}
			if was := n.Children; !many[c.Name] {
				n.Children = append(append([]*form.Node{}, was[:i+1]...), was[i:]...)
				refused("twice", c)
				n.Children = was
			}
			visit(c)
		}
	}
	visit(root)
}

func written(t require.TestingT, namespace string, root *form.Node) []byte {
	var b bytes.Buffer
	w, err := form.Structure{Namespace: namespace}.Writer(&b)
	require.NoError(t, err)
	require.NoError(t, w.Open(root.Name))
	for _, c := range root.Children {
		require.NoError(t, w.Put(c))
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}
