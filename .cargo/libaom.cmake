# What of libaom is compiled: its 8-bit real-time encoder. The rest takes longer to compile than all that is used.
# No toolchain: the one door through which the crate's own build lets anything in. Other libraries do not know these names.
if(DEFINED ENV{CMAKE_TOOLCHAIN_FILE})
  include("$ENV{CMAKE_TOOLCHAIN_FILE}")
endif()
set(CONFIG_REALTIME_ONLY 1 CACHE STRING "")
set(CONFIG_AV1_HIGHBITDEPTH 0 CACHE STRING "")
set(CONFIG_DENOISE 0 CACHE STRING "")
set(CONFIG_QUANT_MATRIX 0 CACHE STRING "")
set(CONFIG_LIBYUV 0 CACHE STRING "")
set(CONFIG_WEBM_IO 0 CACHE STRING "")
