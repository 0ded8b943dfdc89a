package check

import (
	"bytes"
	"fmt"
	"strings"
)

// Bytes ends the check unless got is want. It shows the line of 16 bytes in which they begin to differ, with a caret under the first
// byte that does:
//
//	the data of trade.settled differs at byte 5
//	  expected  0000: 00 00 00 00 09 0a 00 80
//	  actual    0000: 00 00 00 00 09 0b 00 80
//	                                 ^^
func Bytes(t T, what string, want, got []byte) {
	if bytes.Equal(want, got) {
		return
	}
	at := 0
	for at < min(len(want), len(got)) && want[at] == got[at] {
		at++
	}
	if at == min(len(want), len(got)) {
		t.Logf("up to there they are the same: expected are %d bytes, %d came", len(want), len(got))
	}
	const label = "  expected  0000: "
	caret := strings.Repeat(" ", len(label)+3*(at%row)) + "^^"
	t.Errorf("%s differs at byte %d\n  expected  %s\n  actual    %s\n%s", what, at, line(want, at), line(got, at), caret)
	t.FailNow()
}

// row is how many bytes a line shows.
const row = 16

// line is the row of b that byte at is in, after its offset.
func line(b []byte, at int) string {
	from := at - at%row
	if from > len(b) {
		return fmt.Sprintf("%04x:", from)
	}
	return strings.TrimRight(fmt.Sprintf("%04x: % x", from, b[from:min(from+row, len(b))]), " ")
}
