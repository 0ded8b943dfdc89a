package serve

import (
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"
)

// Limits of the lists whose pages are being read.
const (
	mostLists     = 8
	mostListBytes = 64 << 20        // of all lists together
	listWithin    = 5 * time.Minute // from its first page on
)

// lists keeps each list whose pages are being read: the next page needs no new answer, and belongs
// to the page before, whatever the log has since. A list that it does not keep any more is made
// again, and its next page is refused if the list changed.
type lists struct {
	mu  sync.Mutex
	all []keptList // the oldest one first
}

// A keptList is the whole answer to a question.
type keptList struct {
	question, tag string
	envelope      map[string]json.RawMessage
	until         time.Time
}

// keep keeps the answer to a question. The oldest answers make room for it. An answer that needs
// more than all the room is not kept.
func (l *lists) keep(
	question, tag string, envelope map[string]json.RawMessage, now time.Time,
) {
	if len(envelope["answer"]) > mostListBytes {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = slices.DeleteFunc(l.all, func(k keptList) bool {
		return now.After(k.until) || k.question == question && k.tag == tag
	})
	l.all = append(l.all, keptList{question, tag, maps.Clone(envelope), now.Add(listWithin)})
	size, first := 0, len(l.all)
	for first > 0 && len(l.all)-first < mostLists {
		size += len(l.all[first-1].envelope["answer"])
		if size > mostListBytes {
			break
		}
		first--
	}
	l.all = slices.Delete(l.all, 0, first)
}

// find returns a kept answer; ok is false if there is none.
func (l *lists) find(
	question, tag string, now time.Time,
) (envelope map[string]json.RawMessage, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.all {
		if k.question == question && k.tag == tag && !now.After(k.until) {
			return maps.Clone(k.envelope), true
		}
	}
	return nil, false
}
