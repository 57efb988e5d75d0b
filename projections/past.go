package projections

import (
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"modernc.org/sqlite"
)

// Queries for lists name the tables of now. Asked of the past they are given
// tables of the same names and columns, made from the versions of rows (see
// versions.go), so that a question has one query, whenever it is about.

func init() {
	// known(positions, upTo): how many events a stream had, of all its positions.
	sqlite.MustRegisterDeterministicScalarFunction("known", 2,
		func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			known, _ := knownUpTo(args)
			return known, nil
		})
	// lastknown(positions, upTo): the position of the last of these, 0 if none.
	sqlite.MustRegisterDeterministicScalarFunction("lastknown", 2,
		func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			_, last := knownUpTo(args)
			return last, nil
		})
	// recorded(record): when the event of a record of the trail was recorded, in microseconds.
	sqlite.MustRegisterDeterministicScalarFunction("recorded", 1,
		func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			b, ok := args[0].([]byte)
			if !ok || len(b) != recordBytes {
				return nil, fmt.Errorf("no record of the trail: %v", args[0])
			}
			return parseRecord(b).time, nil
		})
}

func knownUpTo(args []driver.Value) (known, last int64) {
	varints, _ := args[0].([]byte)
	upTo, _ := args[1].(int64)
	for at := int64(0); len(varints) > 0; known++ {
		d, n := binary.Uvarint(varints)
		if at += int64(d); n <= 0 || at > upTo {
			break
		}
		last, varints = at, varints[n:]
	}
	return known, last
}

// tables is what a query about a moment begins with: the tables as they were,
// nothing where the moment is now. The moment must be resolved.
func (at Moment) tables() string {
	if at.IsZero() {
		return ""
	}
	end := int64(math.MaxInt64)
	if !at.Day.IsZero() {
		end = versionKey(at.Day.AddDays(1), 0)
	}
	// Of the versions of a row, the last of the latest day, see rowPast.then.
	known := fmt.Sprintf("at < %d AND at & %d <= %d", end, int64(1)<<positionBits-1, int64(at.Position))
	last := func(k versionedTable) string {
		return fmt.Sprintf("SELECT at FROM %s WHERE n = streams.n AND %s ORDER BY at DESC LIMIT 1", k.versionsTable(),
			known)
	}
	var b strings.Builder
	for i, k := range versioned {
		b.WriteString([]string{"WITH ", ", "}[min(i, 1)])
		columns, keys := strings.Join(append(k.keys[:len(k.keys):len(k.keys)], k.columns...), ", "),
			strings.Join(k.keys, ", ")
		if k.single { // one look-up a stream, in this order
			fmt.Fprintf(&b,
				"%s AS NOT MATERIALIZED (SELECT v.%s FROM main.streams CROSS JOIN %s v ON v.n = streams.n AND v.at = (%s) WHERE NOT gone)",
				k.table, strings.ReplaceAll(columns, ", ", ", v."), k.versionsTable(), last(k))
			continue
		}
		// Beside max, columns are those of the row that has it.
		fmt.Fprintf(&b,
			"%s AS NOT MATERIALIZED (SELECT %s FROM (SELECT %s, gone, max(at) FROM %s WHERE %s GROUP BY %s) WHERE NOT gone)",
			k.table, columns, columns, k.versionsTable(), known, keys)
	}
	fmt.Fprintf(&b, `, streams AS NOT MATERIALIZED (SELECT n, kind, id, known(positions, %[1]d) AS events, created,
		(SELECT recorded(substr(records, (last - 1) %% %[2]d * %[3]d + 1, %[3]d)) FROM trail WHERE block = (last - 1) / %[2]d) AS updated
		FROM (SELECT *, lastknown(positions, %[1]d) AS last FROM main.streams))`, int64(at.Position), blockEvents, recordBytes)
	b.WriteString(`, documents AS NOT MATERIALIZED (SELECT streams.n, coalesce(`)
	for i, k := range versioned {
		if k.table == "labs" || k.table == "entities" {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "(SELECT summary FROM %s WHERE n = streams.n AND at = (%s))", k.versionsTable(), last(k))
		}
	}
	b.WriteString(") AS document FROM main.streams) ")
	return b.String()
}
