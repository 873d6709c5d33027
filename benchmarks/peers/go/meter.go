package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"syscall"
	"time"
)

// Meter counts as benchmarks/workers/meter.py does.
type Meter struct {
	warmup, until, count int
	first                float64
	begin, end           *mark
}

type mark struct {
	events             int
	wall, user, system float64
}

func newMeter(warmup, events int) *Meter {
	return &Meter{warmup: warmup, until: warmup + events}
}

// add counts events that are done, and says whether that was all.
func (m *Meter) add(count int) bool {
	m.count += count
	if m.first == 0 && count > 0 {
		m.first = seconds(time.Now())
	}
	if m.begin == nil {
		if m.count >= m.warmup {
			m.begin = m.now()
		}
	} else if m.end == nil && m.count >= m.until {
		m.end = m.now()
	}
	return m.end != nil
}

func (m *Meter) now() *mark {
	var used syscall.Rusage
	orDie(syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	user, system := time.Duration(used.Utime.Nano()), time.Duration(used.Stime.Nano())
	return &mark{m.count, seconds(time.Now()), user.Seconds(), system.Seconds()}
}

func (m *Meter) report() {
	orDie(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"events": m.end.events - m.begin.events,
		"begin":  m.begin.wall,
		"end":    m.end.wall,
		"user":   m.end.user - m.begin.user,
		"system": m.end.system - m.begin.system,
		"rss_kb": residentKb(),
		"first":  m.first,
	}))
}

func seconds(at time.Time) float64 { return float64(at.UnixMicro()) / 1e6 }

func residentKb() int {
	status, err := os.Open("/proc/self/status")
	orDie(err)
	defer status.Close()
	for lines := bufio.NewScanner(status); lines.Scan(); {
		var kb int
		if n, _ := fmt.Sscanf(lines.Text(), "VmRSS: %d kB", &kb); n == 1 {
			return kb
		}
	}
	log.Fatal("the peer in Go: /proc/self/status has no VmRSS")
	return 0
}

func waitForGo() {
	fmt.Println("ready")
	_, err := bufio.NewReader(os.Stdin).ReadString('\n')
	orDie(err)
}
