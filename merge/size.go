package merge

import "strconv"

// appendSize writes a number of bytes the way the client asked for.
func appendSize(out []byte, spec *StatsSpec, n int64) []byte {
	if !spec.HumanSizes {
		return strconv.AppendInt(out, n, 10)
	}
	out = append(out, '"')
	units := [...]string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	size, unit := float64(n), 0
	for size >= 1024 && unit < len(units)-1 {
		size /= 1024
		unit++
	}
	if unit == 0 {
		out = strconv.AppendInt(out, n, 10)
	} else {
		out = strconv.AppendFloat(out, size, 'f', 2, 64)
	}
	return append(append(append(out, ' '), units[unit]...), '"')
}
