//! **The question:** how do the kernels of `shaders/` become pipelines, and which buffers do they meet?

/// One module: `place` holds the entry point and calls `scale`, `convert` and `label`, each the twin of a file of
/// `compose/cpu`; `pack` is an entry point of its own.
const SOURCE: &str = concat!(
    include_str!("../../../../shaders/scale.wgsl"),
    include_str!("../../../../shaders/convert.wgsl"),
    include_str!("../../../../shaders/label.wgsl"),
    include_str!("../../../../shaders/place.wgsl"),
    include_str!("../../../../shaders/pack.wgsl"),
);

/// Compiled once a device.
pub(super) struct Kernels {
    /// Buffers 0 to 3: the tick's list and pictures, tables and stills, the canvas, the packed canvas.
    pub(super) layout: wgpu::BindGroupLayout,
    /// One workgroup a block: draws all of the block's operations in their order.
    pub(super) place: wgpu::ComputePipeline,
    /// One invocation for four bytes of the packed canvas.
    pub(super) pack: wgpu::ComputePipeline,
}

impl Kernels {
    pub(super) fn new(device: &wgpu::Device) -> Self {
        let source = wgpu::ShaderSource::Wgsl(SOURCE.into());
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label: Some("shaders"), source });
        let entry = |binding, read_only| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Storage { read_only },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("kernels"),
            entries: &[entry(0, true), entry(1, true), entry(2, false), entry(3, false)],
        });
        let pipelines = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("kernels"),
            bind_group_layouts: &[Some(&layout)],
            ..Default::default()
        });
        let pipeline = |name| {
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(name),
                layout: Some(&pipelines),
                module: &module,
                entry_point: Some(name),
                compilation_options: wgpu::PipelineCompilationOptions {
                    // Every buffer is written before it is read, workgroup memory too.
                    zero_initialize_workgroup_memory: false,
                    ..Default::default()
                },
                cache: None,
            })
        };
        Self { place: pipeline("place"), pack: pipeline("pack"), layout }
    }
}
