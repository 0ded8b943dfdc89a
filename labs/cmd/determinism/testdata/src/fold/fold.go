// Package fold has each construct that the analyzer reports, and its allowed neighbours.
package fold

import (
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/google/uuid"
)

func clock(t time.Time) {
	_ = time.Now()    // want `time.Now reads the clock`
	_ = time.Since(t) // want `time.Since reads the clock`
	f := time.Now     // want `time.Now reads the clock`
	time.Sleep(1)     // want `time.Sleep reads the clock`
	_ = t.Add(time.Second)
	_ = f
}

func zone(t time.Time) {
	_ = t.Local()                   // want `\(time.Time\).Local uses the zone of the machine`
	_ = t.In(time.Local)            // want `time.Local uses the zone of the machine`
	_, _ = time.LoadLocation("CET") // want `time.LoadLocation uses the zone of the machine`
	_ = time.Unix(0, 0)             // want `a time in the zone of the machine`
	_ = time.UnixMicro(0).String()  // want `a time in the zone of the machine`
	_ = time.UnixMicro(0).UTC()
	_ = t.Equal(time.UnixMicro(0))
}

func random() {
	_ = rand.Int() // want `rand/v2.Int draws a random number`
	_ = uuid.New() // want `uuid.New draws a random number`
	_ = uuid.NewSHA1(nil)
	_ = maphash.MakeSeed() // want `maphash.MakeSeed draws a random number`
}

func floats(x int) time.Duration {
	y := float64(x)           // want `a float`
	var z struct{ a float32 } // want `a float`
	_, _ = y, z               // want `a float`
	_ = time.Hour.Seconds()   // want `a float`
	return 1.5 * 2 * time.Hour
}

func goroutines(c chan int) {
	go clock(time.Time{}) // want `a goroutine`
	select {              // want `a select`
	case <-c:
	default:
	}
}

func environment() {
	_ = os.Getenv("HOME") // want `os.Getenv reads the environment`
	_ = runtime.NumCPU()  // want `runtime.NumCPU reads the environment`
}

type text map[string]int

func (text) String() string { return "" }

type outer struct{ inner []map[int]int }

func prints(m map[string]int, o *outer, p *int, s text, err error) {
	_ = fmt.Sprintf("%v", m)            // want `a print of a map`
	_ = fmt.Errorf("%s: %+v", "a", o)   // want `a print of a map`
	_ = fmt.Sprint(struct{ p *int }{p}) // want `a print of an address`
	refuse("%v", m)                     // want `a print of a map`
	_ = fmt.Sprintf("%v %v %v %d", s, err, o != nil, len(m))
	refuse("no arguments")
}

func refuse(format string, args ...any) { _ = fmt.Sprintf(format, args...) }

func lists(m map[string]int, c chan string) (keys []string, _ string) {
	for k := range m {
		keys = append(keys, k) // want `a list is appended to in the order of a map`
	}
	var sorted, later []string
	for k := range m {
		sorted, later = append(sorted, k), nil
	}
	slices.Sort(sorted)
	for k := range maps.Keys(m) {
		later = append(later, k)
	}
	sort.Strings(later)
	for k := range m {
		c <- k // want `a value is sent in the order of a map`
	}
	for k, n := range m {
		if n > 0 {
			return nil, k // want `a result is chosen in the order of a map`
		}
	}
	return keys, ""
}

func kept(m map[string]int) string {
	best, all, sum, found := "", "", 0, false
	for k, n := range m {
		best = k // want `a value is kept in the order of a map`
		all += k // want `a text grows in the order of a map`
		sum += n
		found = true
	}
	//determinism:unordered all values are the same
	for k := range m {
		best = k
	}
	for range m {
		all += "x"
	}
	//determinism:unordered // want `needs a reason`
	for k := range m {
		best = k
	}
	return fmt.Sprint(best, all, sum, found)
}

func none(m map[string]int) (bool, error) {
	other := map[string]int{}
	for k, n := range m {
		other[k] = n
		one := k
		one = strings.TrimSpace(one)
		slices.ContainsFunc([]string{one}, func(s string) bool { return s == k })
		if n < 0 {
			return false, nil
		}
	}
	return true, nil
}

type state struct{ keys, sorted []string }

func fields(m map[string]int) (s state) {
	for k := range m {
		s.keys = append(s.keys, k) // want `a list is appended to in the order of a map`
		s.sorted = append(s.sorted, k)
	}
	slices.Sort(s.sorted)
	return s
}

func writes(w io.Writer, m map[string]int) {
	var b strings.Builder
	for k := range m {
		fmt.Fprintln(w, k) // want `a text is written in the order of a map`
		b.WriteString(k)   // want `a text is written in the order of a map`
		var own strings.Builder
		own.WriteString(k)
	}
	_ = b.String()
}

func iterators(m map[string]int) []string {
	_ = slices.Collect(maps.Values(m)) // want `an iterator over a map, which is not sorted`
	_ = maps.Collect(maps.All(m))
	_ = slices.SortedFunc(maps.Keys(m), strings.Compare)
	return slices.Sorted(maps.Keys(m))
}

func elements(m map[string]int, byKey map[int]string, groups map[int][]string) {
	keys, sorted, sums := make([]string, len(m)), make([]string, len(m)), [2]int{}
	lists, joined, counted := map[string][]int{}, map[int]string{}, map[int]int{}
	i := 0
	for k, n := range m {
		keys[i] = k // want `a list is written in the order of a map`
		sorted[i] = k
		i++
		sums[n%2] += n
		groups[n] = append(groups[n], k) // want `a list is appended to in the order of a map`
		joined[n] += k                   // want `a text grows in the order of a map`
		counted[n]++
		lists[k] = append(lists[k], n)
	}
	slices.Sort(sorted)
	states, last := map[int]*state{}, []state{{}}
	for i, k := range byKey {
		keys[i] = k
		states[i].keys[0] = k
		last[0].keys = []string{k} // want `a value is kept in the order of a map`
	}
}

func pointers(m map[string]int, best *string) {
	for k := range m {
		*best = k // want `a value is kept in the order of a map`
	}
}

type visitor struct{ visit func(string) }

func yields(m map[string]int, yield func(string) bool, v visitor) {
	for k := range m {
		v.visit(k)     // want `a value is yielded in the order of a map`
		if !yield(k) { // want `a value is yielded in the order of a map`
			return
		}
		once := func(string) {}
		once(k)
		yield("")
	}
}

func (s *state) add(k string) { s.keys = append(s.keys, k) }

func keep(s *state, k string) { s.add(k) }

func calls(m map[string]int, groups map[string][]string, all *state) {
	var one state
	for k := range m {
		all.add(k)    // want `a value may be kept in the order of a map`
		keep(&one, k) // want `a value may be kept in the order of a map`
		var own state
		own.add(k)
		delete(m, k)
	}
	for _, g := range groups {
		slices.Sort(g)
	}
}
