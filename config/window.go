package config

import (
	"fmt"
	"strings"
	"time"
)

// Window is a daily span of time. The start belongs to it, the end does not; an
// end before the start is on the next day.
type Window struct {
	start, end int // minutes since midnight; end may be 24:00
	zone       *time.Location
}

// ParseWindow reads "HH:MM-HH:MM zone". The zone is UTC, Local or a name such as
// Europe/Paris, and UTC when left out. Equal times are refused: they could mean
// never or always ("00:00-24:00" is always).
func ParseWindow(s string) (Window, error) {
	span, zone, _ := strings.Cut(strings.TrimSpace(s), " ")
	from, to, ok := strings.Cut(span, "-")
	start, okFrom := parseClock(from)
	end, okTo := parseClock(to)
	if !ok || !okFrom || !okTo || start == 24*60 {
		return Window{}, fmt.Errorf("%q is not a window such as \"02:00-06:00 UTC\"", s)
	}
	if start == end {
		return Window{}, fmt.Errorf("%q begins and ends at the same time; \"00:00-24:00\" is the whole day", s)
	}
	loc, err := time.LoadLocation(strings.TrimSpace(zone))
	if err != nil {
		return Window{}, fmt.Errorf("%q names no known time zone", s)
	}
	return Window{start: start, end: end, zone: loc}, nil
}

// parseClock reads HH:MM, up to 24:00, as minutes since midnight.
func parseClock(s string) (int, bool) {
	if len(s) != 5 || s[2] != ':' {
		return 0, false
	}
	for _, i := range []int{0, 1, 3, 4} {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	hour, minute := int(s[0]-'0')*10+int(s[1]-'0'), int(s[3]-'0')*10+int(s[4]-'0')
	total := hour*60 + minute
	return total, minute < 60 && total <= 24*60
}

// Contains reports whether t is inside the window, by the clock of its zone.
func (w Window) Contains(t time.Time) bool {
	local := t.In(w.zone)
	now := local.Hour()*60 + local.Minute()
	if w.start < w.end {
		return w.start <= now && now < w.end
	}
	return now >= w.start || now < w.end
}
