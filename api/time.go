package api

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// FormatTime prints a time as Meilisearch does: RFC 3339 in UTC, with as many of nine fraction digits as are needed.
func FormatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// Duration is a time span that is ISO 8601 in JSON, such as `PT0.123S`.
type Duration time.Duration

// String prints whole days, then seconds with 0, 3, 6 or 9 fraction digits.
func (d Duration) String() string {
	const day = 24 * time.Hour
	left := time.Duration(d)
	days := left / day
	left -= days * day
	var b strings.Builder
	b.WriteByte('P')
	if days != 0 {
		fmt.Fprintf(&b, "%dD", int64(days))
		if left == 0 {
			return b.String()
		}
	}
	secs, nanos := int64(left/time.Second), int64(left%time.Second)
	switch {
	case nanos == 0:
		fmt.Fprintf(&b, "T%dS", secs)
	case nanos%1e6 == 0:
		fmt.Fprintf(&b, "T%d.%03dS", secs, nanos/1e6)
	case nanos%1e3 == 0:
		fmt.Fprintf(&b, "T%d.%06dS", secs, nanos/1e3)
	default:
		fmt.Fprintf(&b, "T%d.%09dS", secs, nanos)
	}
	return b.String()
}

// MarshalJSON prints the duration; a negative one is null.
func (d Duration) MarshalJSON() ([]byte, error) {
	if d < 0 {
		return []byte("null"), nil
	}
	return []byte(`"` + d.String() + `"`), nil
}

var isoDuration = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d{1,9}))?S)?)?$`)

// UnmarshalJSON reads what MarshalJSON writes, and hours and minutes.
func (d *Duration) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	m := isoDuration.FindStringSubmatch(strings.Trim(string(data), `"`))
	if m == nil {
		return errors.New("not an ISO 8601 duration: " + string(data))
	}
	units := []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second}
	var total time.Duration
	for i, unit := range units {
		if m[i+1] == "" {
			continue
		}
		n, err := strconv.ParseInt(m[i+1], 10, 32)
		if err != nil {
			return fmt.Errorf("read duration %s: %w", data, err)
		}
		total += time.Duration(n) * unit
	}
	if frac := m[5]; frac != "" {
		n, err := strconv.ParseInt((frac + "000000000")[:9], 10, 64)
		if err != nil {
			return fmt.Errorf("read duration %s: %w", data, err)
		}
		total += time.Duration(n)
	}
	*d = Duration(total)
	return nil
}

// parseTaskDate reads RFC 3339 or YYYY-MM-DD. For a lower bound a bare date means the midnight that ends the day.
func parseTaskDate(s string, after bool) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, true
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Time{}, false
	}
	if after {
		t = t.AddDate(0, 0, 1)
	}
	return t, true
}
