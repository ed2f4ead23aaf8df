//! **The question:** which place does the layout give to whom? Seats, screen and page in, places on the canvas out.

use crate::base::media::{ParticipantId, Size};
use crate::core::scene::document::{CornerRadius, Layout, LayoutName, Region, Who};
use crate::core::scene::grid::{grid_for, grid_in};
use crate::core::scene::rect::even;
use crate::core::scene::stage::{WIDE, contained, corner, stage, whole};
use crate::core::scene::value::WHOLE;
use crate::core::scene::{Border, Fit, Rect, Rgb};

/// Places of a strip unless the layout says otherwise.
const STRIP_PLACES: usize = 5;
/// No region is smaller than this, in pixels.
const SIDE_MIN: u32 = 16;
/// The line around the small picture of `pip`.
const INSET_LINE: Rgb = Rgb::new(0xe8, 0xea, 0xed);

/// Who is to be placed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cast<'a> {
    /// The seats, free ones included.
    pub(super) seats: &'a [Option<ParticipantId>],
    /// Who shares the newest screen, and its shape if it is known.
    pub(super) screen: Option<(ParticipantId, Option<Size>)>,
    /// The page asked for, from 0; beyond the last, the last is shown.
    pub(super) page: usize,
}

/// One picture's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Whose.
    pub(super) who: ParticipantId,
    /// Whether it is the person's screen.
    pub(super) screen: bool,
    pub(super) rect: Rect,
    pub(super) z: i32,
    /// `None`: whatever cuts no face.
    pub(super) fit: Option<Fit>,
    pub(super) corner_radius: u32,
    pub(super) border: Option<Border>,
    pub(super) opacity: u8,
}

/// A layout applied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Plan {
    /// In seat order; the large picture first.
    pub(super) places: Vec<Place>,
    /// How many pages there are, at least 1.
    pub(super) pages: usize,
    /// The page shown, from 0.
    pub(super) page: usize,
    /// Those who need not speak to be seen on the first page: the stage alone, or the first page without one.
    pub(super) front: Vec<ParticipantId>,
    /// Those with a region of their own, who never move.
    pub(super) pinned: Vec<ParticipantId>,
}

/// Whether `people` may leave free seats between them: a grid that shows everyone keeps them where they are.
pub(super) fn keeps_holes(layout: &Layout, screen: bool, people: usize) -> bool {
    effective(layout, screen) == LayoutName::Grid && people <= layout.tiles_max().unwrap_or(usize::MAX)
}

/// The name of the layout that is really shown.
fn effective(layout: &Layout, screen: bool) -> LayoutName {
    match layout.name() {
        LayoutName::Grid | LayoutName::Speaker if screen && layout.shows_screens() => LayoutName::Presentation,
        LayoutName::Presentation if !screen || !layout.shows_screens() => LayoutName::Speaker,
        name => name,
    }
}

/// Places everyone on `canvas`.
pub(super) fn plan(canvas: Size, layout: &Layout, cast: Cast<'_>) -> Plan {
    let name = effective(layout, cast.screen.is_some());
    if name == LayoutName::Custom {
        return custom(canvas, layout.regions(), cast);
    }
    let screen = cast.screen.filter(|_| layout.shows_screens());
    let planner = Planner { canvas, layout, screen, cast };
    let mut plan = match name {
        LayoutName::Grid => planner.grid(),
        LayoutName::Speaker => planner.speaker(),
        LayoutName::Presentation => planner.presentation(),
        LayoutName::Pip => planner.pip(),
        LayoutName::Single | LayoutName::Custom => planner.single(),
    };
    if let Some(radius) = layout.corner_radius() {
        plan.places.iter_mut().for_each(|place| place.corner_radius = radius_of(radius, &place.rect));
    }
    plan
}

struct Planner<'a> {
    canvas: Size,
    layout: &'a Layout,
    screen: Option<(ParticipantId, Option<Size>)>,
    cast: Cast<'a>,
}

impl Planner<'_> {
    fn grid(&self) -> Plan {
        let people = self.people();
        if people.is_empty() {
            return Plan { pages: 1, ..Plan::default() };
        }
        let most = self.layout.tiles_max().unwrap_or(usize::MAX);
        if people.len() <= most {
            let seats = self.cast.seats;
            let grid = grid_for(self.canvas, people.len());
            debug_assert!(seats.len() <= grid.capacity(), "holes are closed when the grid shrinks");
            let taken = seats.iter().enumerate().filter_map(|(seat, who)| who.map(|who| (seat, who)));
            let places = taken.map(|(seat, who)| camera(who, grid.rect(seat, seats.len()))).collect();
            return Plan { places, pages: 1, page: 0, front: people, pinned: Vec::new() };
        }
        // Every page has the same cells: turning one changes no sizes.
        let grid = grid_for(self.canvas, most);
        let (shown, pages, page) = paged(&people, most, self.cast.page);
        let places = shown.iter().enumerate().map(|(seat, who)| camera(*who, grid.rect(seat, most))).collect();
        Plan { places, pages, page, front: people[..most].to_vec(), pinned: Vec::new() }
    }

    fn speaker(&self) -> Plan {
        let people = self.people();
        let Some((first, others)) = people.split_first() else { return Plan { pages: 1, ..Plan::default() } };
        let places = self.strip_places();
        if others.is_empty() || places == 0 {
            return alone(camera(*first, contained(whole(self.canvas), WIDE)), Some(*first));
        }
        let cut = stage(self.canvas, WIDE, places);
        let (shown, pages, page) = paged(others, places, self.cast.page);
        let mut plan = Plan { pages, page, front: vec![*first], ..Plan::default() };
        plan.places.push(camera(*first, contained(cut.large, WIDE)));
        plan.places.extend(strip(cut.strip, places.min(others.len()), shown));
        plan
    }

    fn presentation(&self) -> Plan {
        let (who, shape) = self.screen.expect("shown only while a screen is shared");
        let people = self.people();
        let places = self.strip_places();
        if people.is_empty() || places == 0 {
            return alone(screen(who, contained(whole(self.canvas), shape.unwrap_or(self.canvas))), None);
        }
        let cut = stage(self.canvas, shape.unwrap_or(WIDE), places);
        let (shown, pages, page) = paged(&people, places, self.cast.page);
        let front = people[..places.min(people.len())].to_vec();
        let mut plan = Plan { pages, page, front, ..Plan::default() };
        let large = shape.map_or(cut.large, |shape| contained(cut.large, shape));
        plan.places.push(screen(who, large));
        plan.places.extend(strip(cut.strip, places.min(people.len()), shown));
        plan
    }

    fn pip(&self) -> Plan {
        let mut plan = self.single();
        let people = self.people();
        // Behind a screen the small picture is who speaks; else it is one of the others, a page each.
        let others =
            if self.screen.is_some() { &people[..people.len().min(1)] } else { people.get(1..).unwrap_or(&[]) };
        let (shown, pages, page) = paged(others, 1, self.cast.page);
        let small = corner(self.canvas);
        let line = even(self.canvas.height / 360).max(2);
        plan.places.extend(shown.iter().map(|who| Place {
            z: 1,
            corner_radius: small.height / 12,
            border: Some(Border { width: line, colour: INSET_LINE }),
            ..camera(*who, small)
        }));
        Plan { pages, page, ..plan }
    }

    fn single(&self) -> Plan {
        let first = self.people().first().copied();
        if let Some((who, shape)) = self.screen {
            return alone(screen(who, contained(whole(self.canvas), shape.unwrap_or(self.canvas))), first);
        }
        match first {
            Some(who) => alone(camera(who, contained(whole(self.canvas), WIDE)), first),
            None => Plan { pages: 1, ..Plan::default() },
        }
    }

    fn people(&self) -> Vec<ParticipantId> {
        self.cast.seats.iter().flatten().copied().collect()
    }

    fn strip_places(&self) -> usize {
        self.layout.tiles_max().map_or(STRIP_PLACES, |tiles| tiles - 1)
    }
}

fn custom(canvas: Size, regions: &[Region], cast: Cast<'_>) -> Plan {
    let here = |id: &ParticipantId| cast.seats.contains(&Some(*id));
    let named = regions.iter().filter_map(|region| match region.show {
        Who::Participant(id) => Some(id),
        _ => None,
    });
    let pinned: Vec<ParticipantId> = named.filter(here).collect();
    let free = cast.seats.iter().flatten().copied().filter(|who| !pinned.contains(who));
    let people: Vec<ParticipantId> = free.collect();
    let staged = regions.iter().any(|region| region.show == Who::Speaker);
    let (stage, others) = people.split_at(people.len().min(usize::from(staged)));
    let seats = regions.iter().filter_map(|region| match region.show {
        Who::Seat(n) => Some(n.get() as usize),
        _ => None,
    });
    let places = seats.max().unwrap_or(0);
    let (shown, pages, page) = paged(others, places, cast.page);
    let filled = regions.iter().filter_map(|region| {
        let (who, is_screen) = match region.show {
            Who::Participant(id) => (Some(id).filter(here), false),
            Who::Speaker => (stage.first().copied(), false),
            Who::Screen => (cast.screen.map(|(who, _)| who), true),
            Who::Seat(n) => (shown.get(n.get() as usize - 1).copied(), false),
        };
        who.map(|who| region_place(canvas, region, who, is_screen))
    });
    let front = if staged { stage.to_vec() } else { others[..others.len().min(places)].to_vec() };
    Plan { places: filled.collect(), pages, page, front, pinned }
}

fn region_place(canvas: Size, region: &Region, who: ParticipantId, screen: bool) -> Place {
    // Rounded to even edges; never beyond the canvas, never too small to be drawn.
    let axis = |from: u32, length: u32, whole: u32| {
        let start = even(from).min(even(whole.saturating_sub(SIDE_MIN)));
        (start, even(from + length).min(whole).saturating_sub(start).max(SIDE_MIN.min(whole)))
    };
    let (x, width) = axis(region.rect.x.of(canvas.width), region.rect.width.of(canvas.width), canvas.width);
    let (y, height) = axis(region.rect.y.of(canvas.height), region.rect.height.of(canvas.height), canvas.height);
    let rect = Rect { x, y, width, height };
    let border = region.border.map(|border| Border {
        width: even(border.width.of(canvas.height)).clamp(2, even(width.min(height) / 2)),
        colour: border.colour.0,
    });
    Place {
        who,
        screen,
        rect,
        z: i32::try_from(region.z.get()).expect("bounded by limits::LAYOUT_Z_MAX"),
        fit: region.fit.map(Fit::from),
        corner_radius: radius_of(region.corner_radius, &rect),
        border,
        opacity: u8::try_from(u64::from(region.opacity.millionths()) * 255 / u64::from(WHOLE)).expect("at most 255"),
    }
}

/// What page `page` shows, how many pages there are, and which one it is.
fn paged(people: &[ParticipantId], places: usize, page: usize) -> (&[ParticipantId], usize, usize) {
    if places == 0 {
        return (&[], 1, 0);
    }
    let pages = people.len().div_ceil(places).max(1);
    let page = page.min(pages - 1);
    let shown = people.get(page * places..).unwrap_or_default();
    (&shown[..shown.len().min(places)], pages, page)
}

/// People in a strip of `places`, which is not longer than it must be.
fn strip(area: Rect, places: usize, shown: &[ParticipantId]) -> impl Iterator<Item = Place> {
    let grid = grid_in(area, places.max(STRIP_PLACES));
    shown.iter().enumerate().map(move |(seat, who)| camera(*who, grid.rect(seat, places.max(shown.len()))))
}

fn alone(place: Place, front: Option<ParticipantId>) -> Plan {
    Plan { places: vec![place], pages: 1, page: 0, front: front.into_iter().collect(), pinned: Vec::new() }
}

fn camera(who: ParticipantId, rect: Rect) -> Place {
    Place { who, screen: false, rect, z: 0, fit: None, corner_radius: 0, border: None, opacity: 255 }
}

fn screen(who: ParticipantId, rect: Rect) -> Place {
    Place { screen: true, fit: Some(Fit::Contain), ..camera(who, rect) }
}

fn radius_of(radius: CornerRadius, rect: &Rect) -> u32 {
    radius.of(rect.width.min(rect.height))
}
