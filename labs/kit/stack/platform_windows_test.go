package stack_test

import (
	"testing"

	"example.com/blotter/labs/kit/stack/stacktest"
)

func TestMain(m *testing.M) { stacktest.MainAsShipped(m) }
