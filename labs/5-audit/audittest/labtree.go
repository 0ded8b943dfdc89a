package audittest

import (
	"crypto/sha256"
	"fmt"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var proving = []labSpec{
	{Check: check.Check{
		ID: "L5.1", Points: 2, Invariant: "L5.I8", Operation: root,
		Title: "the root is that of RFC 6962, section 2.1, for any number of leaves",
		Hint: "no leaf: SHA-256 of nothing; one leaf: its hash; otherwise the hash of the roots " +
			"of the left split(n) leaves and of the others",
		More: "hash(0, leaves[0]) for one leaf, and hash(1, left[:], right[:]) with left, right " +
			":= Root(leaves[:k]), Root(leaves[k:]) and k := split(n)",
		Misconception: "that any tree of hashes will do",
	}, try: roots},
	{Check: check.Check{
		ID: "L5.2", Points: 2, Invariant: "L5.I8", Operation: prove,
		Title: "a proof has the root beside each step from the leaf to the root, in this order",
		Hint: "the same recursion as Root, into one half only: the proof in that half, and then " +
			"the root of the other half",
		More: "if index < k: append(Prove(leaves[:k], index), Root(leaves[k:])); otherwise the " +
			"other half with index-k, and Root(leaves[:k])",
		Misconception: "that a proof begins at the root",
	}, try: proofs},
	{Check: check.Check{
		ID: "L5.3", Points: 2, Invariant: "L5.I8", Operation: inclusion,
		Title: "a right proof of any leaf in a tree of any size is accepted",
		Hint: "go down from the root to the leaf, and take one hash of the proof at each step on " +
			"the way back up; the index says whether it is the left one or the right one",
		More: "a closure up(index, size): hash(0, leaf) at size 1; otherwise sub := up of the " +
			"half with the leaf, then the next hash of the proof, then hash(1, …) with sub on " +
			"its own side",
		Misconception: "that each level has a pair for each leaf",
	}, try: acceptsProofs},
	{Check: check.Check{
		ID: "L5.4", Points: 3, Invariant: "L5.I8", Operation: inclusion,
		Title: "a proof of another leaf, index, size or root is refused, and a node is no leaf",
		Hint: "refuse an index outside of the tree, a root that differs, and a proof of which " +
			"hashes are left over; hash the leaf itself with prefix 0",
		More: "if index < 0 || index >= size, return an error; at the end: if got != root || " +
			"len(rest) > 0, return an error",
		Misconception: "that a path of hashes which ends at the root proves everything about a " +
			"leaf",
	}, try: refusesProofs},
}

// halves returns the root of a tree with other prefixes or another split: the usual mistakes.
func halves(leaves [][]byte, leaf, node []byte, split func(int) int) contract.Hash {
	if len(leaves) == 1 {
		return sha256.Sum256(append(leaf, leaves[0]...))
	}
	k := split(len(leaves))
	left, right := halves(leaves[:k], leaf, node, split), halves(leaves[k:], leaf, node, split)
	return sha256.Sum256(append(append(node, left[:]...), right[:]...))
}

func powerOfTwo(n int) int {
	k := 1
	for 2*k < n {
		k *= 2
	}
	return k
}

func roots(t *labTrial) {
	tree := t.grown(70, 70, "")
	for _, n := range []int64{7, 1, 2, 3, 4, 5, 6, 8, 9, 16, 33, 64, 65, 70, 0} {
		leaves := tree.leaves[:n]
		want, got := tree.root(n), t.root(leaves)
		to := check.T(t)
		switch {
		case n < 2:
		case got == halves(leaves, nil, nil, powerOfTwo):
			to = t.Hint("nothing tells a leaf from a node: hash a leaf with the byte 0 before " +
				"it, and two nodes with the byte 1: hash(0, …) and hash(1, …)")
		case got == halves(leaves, []byte{0}, []byte{1}, func(n int) int { return n / 2 }),
			got == halves(leaves, []byte{0}, []byte{1}, func(n int) int { return (n + 1) / 2 }):
			to = t.Hint("the left subtree is always full: it has the largest power of two below " +
				"n leaves, which is split(n), and not the half of n")
		}
		require.Equal(to, fmt.Sprintf("%x", want), fmt.Sprintf("%x", got),
			"the root of %d leaves", n)
	}
}

func proofs(t *labTrial) {
	tree := t.grown(20, 20, "")
	for _, size := range []int64{7, 1, 2, 3, 4, 5, 8, 13, 20} {
		for index := range size {
			want := tree.inclusion(size, index).proof
			got := t.prove(tree.leaves[:size], index)
			require.Equal(t, texts(want), texts(got), "the proof of leaf %d of %d", index, size)
		}
	}
}

func acceptsProofs(t *labTrial) {
	tree := t.grown(40, 40, "")
	for _, size := range []int64{7, 1, 2, 3, 4, 5, 8, 13, 33, 40} {
		for index := range size {
			require.NoError(t, t.checkInclusion(tree.inclusion(size, index)),
				"the proof of leaf %d of %d", index, size)
		}
	}
	p := tree.inclusion(7, 5)
	p.root[0] ^= 1
	require.Error(t.Hint("compare the result with the root"), t.checkInclusion(p),
		"the proof of leaf 5 of 7 was accepted for another root")
}

func refusesProofs(t *labTrial) {
	tree := t.grown(13, 13, "")
	require.NoError(t, t.checkInclusion(tree.inclusion(13, 5)), "the proof of leaf 5 of 13")
	for size := int64(2); size <= 13; size++ {
		for index := range size {
			right := tree.inclusion(size, index)
			for _, tc := range []struct {
				name, hint string
				change     func(p *inclusionProof)
			}{
				{"another leaf", "the leaf itself must go into the path: hash(0, leaf)",
					func(p *inclusionProof) { p.leaf = []byte("another") }},
				{"the root of another tree", "compare the result with the root",
					func(p *inclusionProof) { p.root[0] ^= 1 }},
				{"the index of the leaf beside it", "the index decides on which side of each " +
					"hash the path goes: a proof holds for one place only",
					func(p *inclusionProof) { p.index ^= 1; p.size += p.index / p.size }},
				{"an index past the end", "an index outside of the tree has no leaf",
					func(p *inclusionProof) { p.index += p.size }},
				{"a negative index", "an index outside of the tree has no leaf",
					func(p *inclusionProof) { p.index -= p.size }},
				{"a hash too few", "each level needs a hash of the proof",
					func(p *inclusionProof) { p.proof = p.proof[1:] }},
				{"a hash too many", "every hash of the proof must be used: the rest may say " +
					"anything", func(p *inclusionProof) {
					p.proof = append(p.proof[:len(p.proof):len(p.proof)], contract.Hash{})
				}},
				{"a hash too many before the first", "at the leaf, no hash may be left over",
					func(p *inclusionProof) {
						p.proof = append([]contract.Hash{{}}, p.proof...)
					}},
			} {
				p := right
				tc.change(&p)
				require.Error(t.Hint(tc.hint), t.checkInclusion(p),
					"leaf %d of %d with %s was accepted", index, size, tc.name)
			}
		}
	}
	// The two children of a node, joined, are not a leaf of a smaller tree.
	left, right := tree.root(1), tree.inclusion(2, 0).proof[0]
	node := append(left[:], right[:]...)
	p := inclusionProof{tree.root(4), 2, 0, node, tree.inclusion(4, 0).proof[1:]}
	require.Error(t.Hint("a leaf is hashed with prefix 0, and a node with prefix 1: otherwise a "+
		"node passes as a leaf"), t.checkInclusion(p), "the children of a node were accepted as "+
		"a leaf")
}

var extending = []labSpec{
	{Check: check.Check{
		ID: "L5.11", Points: 2, Invariant: "L5.I4", Operation: consistency,
		Title: "a right proof between any two sizes of one log is accepted",
		Hint: "go down as for an inclusion proof, and carry two roots on the way up: that of the " +
			"new subtree, and that of its part which is in the old tree",
		More: "both(old, size, whole): if old == size, the subtree is old as a whole: its root " +
			"is oldRoot if whole, otherwise the next hash. If old <= k: the left half gives was " +
			"and left, the next hash is right. Otherwise the right half with whole = false " +
			"gives was and right, and the next hash is left, which goes into both roots",
		Misconception: "that the old root is a node of the new tree",
	}, try: acceptsGrowth},
	{Check: check.Check{
		ID: "L5.12", Points: 3, Invariant: "L5.I4", Operation: consistency,
		Title: "a tree that lost, changed or moved an old leaf is refused",
		Hint: "compare both results, with oldRoot and with root; refuse an old size outside of " +
			"1 to size, and hashes that are left over",
		More: "if old < 1 || old > size, return an error; at the end: if was != oldRoot || is != " +
			"root || len(rest) > 0, return an error",
		Misconception: "that a proof which gives the new root says something about the old one",
	}, try: refusesForks},
}

func acceptsGrowth(t *labTrial) {
	tree := t.grown(34, 34, "")
	for size := int64(1); size <= 34; size++ {
		for old := int64(1); old <= size; old++ {
			require.NoError(t, t.checkConsistency(tree.consistency(size, old)),
				"the proof from %d to %d leaves", old, size)
		}
	}
	p := tree.consistency(7, 3)
	p.root[0] ^= 1
	require.Error(t.Hint("compare the new root with root"), t.checkConsistency(p),
		"the proof from 3 to 7 leaves was accepted for another root")
}

func refusesForks(t *labTrial) {
	tree := t.grown(13, 13, "")
	require.NoError(t, t.checkConsistency(tree.consistency(13, 5)),
		"the proof from 5 to 13 leaves")
	for size := int64(1); size <= 13; size++ {
		for old := int64(1); old <= size; old++ {
			right := tree.consistency(size, old)
			fork := t.grown(13, int(old-1), "a fork")
			for _, tc := range []struct {
				name, hint string
				change     func(p *consistencyProof)
			}{
				{"the old root of a fork", "the proof must give the old root, too: compare was " +
					"with oldRoot", func(p *consistencyProof) { p.oldRoot = fork.root(old) }},
				{"the new root of a fork", "compare the new root with root; between equal sizes " +
					"both roots must be equal",
					func(p *consistencyProof) { p.root = fork.root(size) }},
				{"the root and the proof of a fork", "the proof must give the old root, too: " +
					"compare was with oldRoot", func(p *consistencyProof) {
					was := p.oldRoot
					*p = fork.consistency(size, old)
					p.oldRoot = was
				}},
				{"a hash too many", "every hash of the proof must be used, also between equal " +
					"sizes", func(p *consistencyProof) {
					p.proof = append(p.proof[:len(p.proof):len(p.proof)], contract.Hash{})
				}},
				{"a hash too many before the first", "where the way down ends, no hash may be " +
					"left over", func(p *consistencyProof) {
					p.proof = append([]contract.Hash{{}}, p.proof...)
				}},
				{"the sizes exchanged", "a log never shrinks: refuse an old size above size",
					func(p *consistencyProof) {
						p.old, p.size = p.size+1, p.old
						p.oldRoot, p.root = p.root, p.oldRoot
					}},
				{"an old tree without leaves", "an empty tree proves nothing: refuse old < 1",
					func(p *consistencyProof) { p.old = 0 }},
			} {
				p := right
				tc.change(&p)
				require.Error(t.Hint(tc.hint), t.checkConsistency(p),
					"from %d to %d leaves: %s was accepted", old, size, tc.name)
			}
		}
	}
}
