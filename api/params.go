package api

import (
	"slices"
	"strconv"
	"strings"
)

// ParseQuery turns a raw query string into an object of strings, in the order the parameters were sent; a repeated
// parameter keeps its last value. Broken percent signs are taken literally, broken UTF-8 is replaced.
func ParseQuery(raw string) Value {
	v := Value{Kind: Object}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		key, value = unescape(key), unescape(value)
		val := Value{Kind: String, Str: value}
		if i := slices.IndexFunc(v.Obj, func(m Member) bool { return m.Key == key }); i >= 0 {
			v.Obj[i].Value = val
			continue
		}
		v.Obj = append(v.Obj, Member{Key: key, Value: val})
	}
	return v
}

func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			out = append(out, ' ')
		case s[i] == '%' && i+2 < len(s):
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				out = append(out, '%')
				continue
			}
			out = append(out, byte(n))
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return strings.ToValidUTF8(string(out), "\uFFFD")
}

// DecodeQuery reads query parameters; unknown ones are an error, all errors of no field's own are `bad_request`.
func DecodeQuery(raw string, fields []Field) *Error {
	return DecodeObject(ParseQuery(raw), At{query: true}, "bad_request", fields)
}

func param[T any](parse func(string) (T, string)) Reader[T] {
	return func(code string, dst *T) Into {
		return func(v Value, at At) *Error {
			x, reason := parse(v.Str)
			if reason != "" {
				return Invalid(code, at, reason)
			}
			*dst = x
			return nil
		}
	}
}

// ParamCount reads an integer parameter that is not negative.
func ParamCount(code string, dst *int) Into {
	return param(func(s string) (int, string) {
		n, reason := parseUint(s, 64)
		return clampInt(n), reason
	})(code, dst)
}

// ParamUint32 reads a parameter that is a task uid.
func ParamUint32(code string, dst *uint32) Into {
	return param(parseUint32)(code, dst)
}

func parseUint32(s string) (uint32, string) {
	n, reason := parseUint(s, 32)
	return uint32(n), reason
}

func parseUint(s string, bits int) (uint64, string) {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "+"), 10, bits)
	if err != nil {
		return 0, "could not parse `" + s + "` as a positive integer"
	}
	return n, ""
}

// ParamBool reads `true` or `false`.
func ParamBool(code string, dst *bool) Into {
	return param(func(s string) (bool, string) {
		if s != "true" && s != "false" {
			return false, "could not parse `" + s + "` as a boolean, expected either `true` or `false`"
		}
		return s == "true", ""
	})(code, dst)
}

// ParamList reads a comma list of strings; empty elements are dropped and the result is never nil.
func ParamList(code string, dst *[]string) Into {
	return param(func(s string) ([]string, string) { return splitList(s), "" })(code, dst)
}

func splitList(s string) []string {
	out := []string{}
	for part := range strings.SplitSeq(s, ",") {
		if part != "" {
			out = append(out, part)
		}
	}
	return out
}

// ParamStarList reads a comma list in which `*` stands for everything: it gives nil, as does no parameter at all.
func ParamStarList[T any](code string, dst *[]T, parse func(string) (T, string)) Into {
	return func(v Value, at At) *Error {
		parts, star := splitList(v.Str), false
		out := make([]T, 0, len(parts))
		for i, part := range parts {
			if part == "*" {
				star = true
				continue
			}
			x, reason := parse(part)
			if reason != "" {
				if len(parts) > 1 {
					at = at.Index(i)
				}
				return Invalid(code, at, reason)
			}
			out = append(out, x)
		}
		if star {
			out = nil
		}
		*dst = out
		return nil
	}
}
