"""What users and edge server say to each other over the connection of a flow."""

import struct

# First bytes of a flow: number, length in bytes with this header, T_proc in s, compute in TFLOP/s.
FLOW_HEADER = struct.Struct("<IIdd")
# Messages back: number of the flow, what has happened, when on the clock that all processes of a machine share.
MESSAGE = struct.Struct("<IBd")
ARRIVED, ANSWERED = 0, 1  # the last byte is there; T_proc is over
WARM_UP = 2**32 - 1  # the number of a flow that is nothing but its header, and gets no answer
# The kernel does not pace the first ten segments of a connection. A connection that has sent this many is paced.
WARM_UP_SEGMENTS = 12
