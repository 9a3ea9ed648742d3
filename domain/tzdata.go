package domain

// The zone data is linked in so that a day begins at the same instant on every
// machine, whether or not it has zone files of its own.
import _ "time/tzdata"
