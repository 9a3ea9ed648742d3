package synthetic

import (
	"time"

	"cms.gov/ab2d/domain"
)

// Dates inside this package are days counted from 1 January 2018, so that
// adding days is adding integers; the table holds each as text and as a Date.
const (
	calendarFirst = domain.Date(2018_01_01)
	calendarDays  = 9 * 366
	firstYear     = 2018
)

type calendarTable struct {
	text    [calendarDays]string
	date    [calendarDays]domain.Date
	months  [9*12 + 1]int // first day of each month
	weekday int           // the day of the week of day 0
}

var calendar = func() (c calendarTable) {
	day := time.Date(calendarFirst.Year(), time.January, 1, 0, 0, 0, 0, time.UTC)
	c.weekday = int(day.Weekday())
	for i := range c.text {
		c.text[i] = day.Format(time.DateOnly)
		c.date[i] = domain.DateOf(day)
		if m := (day.Year()-firstYear)*12 + int(day.Month()) - 1; day.Day() == 1 && m < len(c.months) {
			c.months[m] = i
		}
		day = day.AddDate(0, 0, 1)
	}
	return c
}()

// dayOf counts d in days from the first of the calendar.
func dayOf(d domain.Date) int { return d.DaysSince(calendarFirst) }

// monthStart is the first day of the month that is m months after January 2018.
func monthStart(m int) int { return calendar.months[m] }

// monthOf turns a month of this package into one of the domain.
func monthOf(m int) domain.Month {
	return domain.NewMonth(firstYear, time.January) + domain.Month(m)
}

// monthNumber counts a domain month in months from January 2018.
func monthNumber(d domain.Date) int {
	return int(d.Month() - domain.NewMonth(firstYear, time.January))
}

// nextSaturday is day itself or the first Saturday after it.
func nextSaturday(day int) int {
	return day + (6-(day+calendar.weekday)%7+7)%7
}
