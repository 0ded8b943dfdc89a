package stack

import (
	"errors"
	"os/exec"
	"syscall"
)

// bind refuses: nothing here makes a child end with its parent, and a child left behind would keep the files open.
func bind(*exec.Cmd, *account, syscall.Signal) (farewell func(), err error) {
	return nil, errors.New("the embedded stack runs Postgres and the S3 gateway on Unix only")
}
