package api

import (
	"fmt"
	"math"
	"slices"
	"sort"
)

// Bool reads a boolean.
func Bool(code string, dst *bool) Into {
	return func(v Value, at At) *Error {
		if v.Kind != Boolean {
			return WrongType(code, at, v, Boolean)
		}
		*dst = v.Bool
		return nil
	}
}

// Text reads a string.
func Text(code string, dst *string) Into {
	return func(v Value, at At) *Error {
		if v.Kind != String {
			return WrongType(code, at, v, String)
		}
		*dst = v.Str
		return nil
	}
}

// Count reads an integer that is not negative; more than an int holds is read as the greatest int.
func Count(code string, dst *int) Into {
	return func(v Value, at At) *Error {
		if v.Kind != Integer {
			return WrongType(code, at, v, Integer)
		}
		*dst = clampInt(v.Uint)
		return nil
	}
}

func clampInt(n uint64) int { return int(min(n, math.MaxInt)) }

// PositiveCount is Count without zero.
func PositiveCount(code string, dst *int) Into {
	return func(v Value, at At) *Error {
		if v.Kind == Integer && v.Uint == 0 {
			return Invalid(code, at, fmt.Sprintf("a non-zero integer value lower than `%d` was expected, but found a zero",
				uint64(math.MaxUint64)))
		}
		return Count(code, dst)(v, at)
	}
}

// Uint64 reads an integer that is not negative.
func Uint64(code string, dst *uint64) Into {
	return func(v Value, at At) *Error {
		if v.Kind != Integer {
			return WrongType(code, at, v, Integer)
		}
		*dst = v.Uint
		return nil
	}
}

// Byte reads an integer of 0 to 255.
func Byte(code string, dst *uint8) Into {
	return func(v Value, at At) *Error {
		if v.Kind != Integer {
			return WrongType(code, at, v, Integer)
		}
		if v.Uint > math.MaxUint8 {
			return tooLarge(code, at, v, math.MaxUint8)
		}
		*dst = uint8(v.Uint)
		return nil
	}
}

// Number reads any number.
func Number(code string, dst *float64) Into {
	return func(v Value, at At) *Error {
		switch v.Kind {
		case Integer, NegativeInteger, Float:
			*dst = v.Num
			return nil
		default:
			return WrongType(code, at, v, Float, Integer, NegativeInteger)
		}
	}
}

// Float32 reads any number as a 32-bit float, the type of vectors.
func Float32(code string, dst *float32) Into {
	return func(v Value, at At) *Error {
		var f float64
		if err := Number(code, &f)(v, at); err != nil {
			return err
		}
		*dst = float32(f)
		return nil
	}
}

// Raw takes any value as it is.
func Raw(_ string, dst *Value) Into {
	return func(v Value, _ At) *Error {
		*dst = v
		return nil
	}
}

// Reader makes the Into of a type: Bool, Text, Count and so on.
type Reader[T any] func(code string, dst *T) Into

// Maybe reads null as nil and everything else by read.
func Maybe[T any](code string, dst **T, read Reader[T]) Into {
	return func(v Value, at At) *Error {
		if v.Kind == Null {
			*dst = nil
			return nil
		}
		x := new(T)
		if err := read(code, x)(v, at); err != nil {
			return err
		}
		*dst = x
		return nil
	}
}

// List reads an array. An empty array gives an empty slice, not nil.
func List[T any](read Reader[T]) Reader[[]T] {
	return func(code string, dst *[]T) Into {
		return func(v Value, at At) *Error {
			if v.Kind != Array {
				return WrongType(code, at, v, Array)
			}
			out := make([]T, len(v.Arr))
			for i := range v.Arr {
				if err := read(code, &out[i])(v.Arr[i], at.Index(i)); err != nil {
					return err
				}
			}
			*dst = out
			return nil
		}
	}
}

// MaybeList reads null as nil and an array as a slice that is not nil.
func MaybeList[T any](code string, dst *[]T, read Reader[T]) Into {
	return func(v Value, at At) *Error {
		if v.Kind == Null {
			*dst = nil
			return nil
		}
		return List(read)(code, dst)(v, at)
	}
}

// Set reads an array of strings as a sorted list without repetitions.
func Set(code string, dst *[]string) Into {
	return func(v Value, at At) *Error {
		var list []string
		if err := List(Text)(code, &list)(v, at); err != nil {
			return err
		}
		sort.Strings(list)
		*dst = slices.Compact(list)
		return nil
	}
}

// Map reads an object whose members are all of one type.
func Map[T any](read Reader[T]) Reader[map[string]T] {
	return func(code string, dst *map[string]T) Into {
		return func(v Value, at At) *Error {
			if v.Kind != Object {
				return WrongType(code, at, v, Object)
			}
			out := make(map[string]T, len(v.Obj))
			for i := range v.Obj {
				var x T
				if err := read(code, &x)(v.Obj[i].Value, at.Key(v.Obj[i].Key)); err != nil {
					return err
				}
				out[v.Obj[i].Key] = x
			}
			*dst = out
			return nil
		}
	}
}

// OneOf reads a string that must be one of the accepted ones.
func OneOf(accepted ...string) Reader[string] {
	return func(code string, dst *string) Into {
		return func(v Value, at At) *Error {
			if v.Kind != String {
				return WrongType(code, at, v, String)
			}
			if !slices.Contains(accepted, v.Str) {
				return UnknownValue(code, at, v.Str, accepted)
			}
			*dst = v.Str
			return nil
		}
	}
}

// Checked reads by read and then asks check; a text it returns is the reason why the value is invalid.
func Checked[T any](read Reader[T], check func(T) string) Reader[T] {
	return func(code string, dst *T) Into {
		return func(v Value, at At) *Error {
			if err := read(code, dst)(v, at); err != nil {
				return err
			}
			if reason := check(*dst); reason != "" {
				return Invalid(code, at, reason)
			}
			return nil
		}
	}
}

// UID reads an index uid and checks it.
func UID(code string, dst *string) Into {
	return Checked(Text, func(s string) string {
		if ValidIndexUID(s) {
			return ""
		}
		return invalidIndexUIDText(s)
	})(code, dst)
}
