package main

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const tableWidth = 80

// table lines up text in columns. A column's width is that of its longest cell,
// at most its limit; longer cells are cut and end in an ellipsis.
type table struct {
	head   []string
	limits []int
	right  []bool
	rows   [][]string
	notes  map[int]string // by row: a line under it
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) note(text string) {
	if t.notes == nil {
		t.notes = make(map[int]string)
	}
	t.notes[len(t.rows)-1] = text
}

func (t *table) String() string {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = min(max(widths[i], utf8.RuneCountInString(cell)), t.limits[i])
		}
	}
	var b strings.Builder
	write := func(row []string) {
		var line strings.Builder
		for i, cell := range row {
			if i > 0 {
				line.WriteString("  ")
			}
			cell = cut(cell, widths[i])
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if t.right[i] {
				line.WriteString(pad + cell)
			} else {
				line.WriteString(cell + pad)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	write(t.head)
	for i, row := range t.rows {
		write(row)
		if note, ok := t.notes[i]; ok {
			b.WriteString("  " + cut(note, tableWidth-2) + "\n")
		}
	}
	return b.String()
}

// cut shortens text to width characters and keeps it on one line.
func cut(text string, width int) string {
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}

// wrap breaks text into lines of at most width characters, at spaces where
// there are any.
func wrap(text string, width int) []string {
	var lines []string
	rest := []rune(strings.Join(strings.Fields(text), " "))
	for len(rest) > width {
		at := width
		for i := width; i > width/2; i-- {
			if rest[i] == ' ' {
				at = i
				break
			}
		}
		lines = append(lines, string(rest[:at]))
		rest = rest[at:]
		if rest[0] == ' ' {
			rest = rest[1:]
		}
	}
	return append(lines, string(rest))
}

// age prints a span in its two largest units, such as 3h12m.
func age(d time.Duration) string {
	days, hours, minutes, seconds := int(d.Hours())/24, int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	two := func(a int, unitA string, b int, unitB string) string {
		if b == 0 {
			return strconv.Itoa(a) + unitA
		}
		return strconv.Itoa(a) + unitA + strconv.Itoa(b) + unitB
	}
	switch {
	case d < time.Second:
		return "0s"
	case hours >= 48:
		return two(days, "d", hours%24, "h")
	case hours > 0:
		return two(hours, "h", minutes, "m")
	case minutes > 0:
		return two(minutes, "m", seconds, "s")
	default:
		return strconv.Itoa(seconds) + "s"
	}
}

// count prints a number with the right form of its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
