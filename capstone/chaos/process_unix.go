//go:build unix

package chaos

import (
	"fmt"
	"syscall"
)

// Pause returns after the process has stopped, not already after the signal was sent.
func (p *process) Pause() error {
	pid := p.cmd.Process.Pid
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	for {
		var status syscall.WaitStatus
		_, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return err
		case status.Stopped():
			return nil
		default:
			return fmt.Errorf("writer %d ended: %v", pid, status)
		}
	}
}

func (p *process) Resume() error { return syscall.Kill(p.cmd.Process.Pid, syscall.SIGCONT) }
